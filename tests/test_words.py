"""Words: one of a thing is told as one."""

from novaops.words import Amount, counted, there_are


def test_one_is_one_and_any_other_number_is_many():
    assert [counted(number, "day") for number in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
    assert [there_are(number, "task") for number in (1, 2)] == ["1 task is", "2 tasks are"]


def test_a_sentence_may_count_its_value_or_format_it_as_any_number():
    said = "{value:ledger} behind, {value:.1f} of {threshold:.0f}"
    assert said.format(value=Amount(1), threshold=Amount(100)) == "1 ledger behind, 1.0 of 100"
