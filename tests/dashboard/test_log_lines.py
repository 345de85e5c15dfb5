"""What is made of log lines: groups of errors, patterns from what people type, and nothing that must not be kept."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard import log_lines
from novaops.cloud.logs import Line
from novaops.sandbox.aws.log_patterns import compiled

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def line(message: str, second: int = 0) -> Line:
    return Line(at=NOON + timedelta(seconds=second), stream="api/api/1", message=message)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ERROR took 1500 ms", "ERROR took 20 ms"),
        ("timeout of 10.0.3.17:5432", "timeout of 10.0.9.1:5432"),
        ('{"message": "too many connections", "took": 3}', '{"message": "too many connections", "took": 9, "x": 1}'),
        ("error 4f0c1c5e-6d3a-4b7e-9a52-0d6f1b2c3d4e lost", "error 00000000-6d3a-4b7e-9a52-0d6f1b2c3d4e lost"),
        ("Error: user 'ann' unknown", "Error: user 'bob' unknown"),
    ],
)
def test_lines_that_say_the_same_have_one_pattern(one, other):
    assert log_lines.pattern_of(one) == log_lines.pattern_of(other)


def test_errors_are_grouped_and_the_rest_is_left_out():
    lines = [line("info: request"), line("ERROR took 5 ms", 1), line("ERROR took 7 ms", 9), line("panic: nil", 3)]
    first, second = log_lines.groups(lines)
    assert (first.pattern, first.number, first.example) == ("ERROR took # ms", 2, "ERROR took 7 ms")
    assert (first.first_at, first.last_at) == (NOON + timedelta(seconds=1), NOON + timedelta(seconds=9))
    assert second.pattern == "panic: nil"


@pytest.mark.parametrize(
    "secret",
    [
        "postgresql://nova:hunter2@db/nova",
        "Auth: Bearer hunter2",
        '{"password": "hunter2"}',
        "api_key=hunter2",
    ],
)
def test_passwords_and_tokens_are_not_kept(secret):
    assert "hunter2" not in log_lines.shown(secret)


def test_a_line_is_cut():
    assert len(log_lines.shown("x" * 5000)) == log_lines.LONGEST_MESSAGE + 1


@pytest.mark.parametrize("text", ['say "hello"', r"a\b", "-minus ?question", "{ $.a = 1 }", "%regex%"])
def test_a_text_is_looked_for_as_it_stands(text):
    matches = compiled(log_lines.filter_pattern(text, only_errors=True))
    assert matches(f"before {text} after")
    assert not matches("something else")


def test_without_a_text_errors_are_looked_for():
    matches = compiled(log_lines.filter_pattern("", only_errors=True))
    assert matches("an ERROR")
    assert not matches("an info")
    assert log_lines.filter_pattern("", only_errors=False) == ""
