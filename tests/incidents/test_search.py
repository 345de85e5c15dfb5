"""Finding incidents by what is written in them, before and after their words were folded."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection

from incidents import incident as decide
from incidents import search, tasks
from incidents.models import Incident, TimelineEntry, Words

pytestmark = pytest.mark.django_db
Declare = Callable[..., Incident]


def found(text: str) -> list[str]:
    return [incident.name for incident in search.matching(Incident.objects.order_by("number"), text)]


@pytest.fixture
def told(declare: Declare, commander: User) -> Incident:
    incident = declare(commander, title="Logins fail", impact="Every merchant in Lagos")
    decide.note(incident.number, "Deployment api@9f31c2 was rolled back: nova-api:41", by=commander)
    return incident


@pytest.mark.parametrize("folded", [False, True], ids=["at once", "folded"])
@pytest.mark.parametrize(
    "text", ["logins", "LAGOS", "9f31c2", "nova-api:41", "roll", "merchant rolled", "Déploy' | rolled"[10:], ""]
)
def test_what_is_written_in_an_incident_finds_it(told: Incident, text: str, folded: bool) -> None:
    if folded:
        tasks.fold_words()
        assert not TimelineEntry.objects.filter(folded=False).exists()
    assert found(text) == [told.name]


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("text", ["unicorn", "logins unicorn", "':* | '", "\\", "a" * 5000])
def test_other_words_find_nothing_and_break_nothing(told: Incident, text: str, folded: bool) -> None:
    if folded:
        tasks.fold_words()
    assert found(text) == ([told.name] if not search.words_of(text) else [])


def test_what_is_written_later_is_folded_into_the_same_row(told: Incident, commander: User) -> None:
    tasks.fold_words()
    decide.note(told.number, "Quetzal", by=commander)
    assert found("quetzal rolled") == []
    tasks.fold_words()
    assert found("quetzal rolled") == [told.name]
    assert Words.objects.count() == 1


def test_very_many_words_begin_another_row(told: Incident, commander: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "WORDS_A_ROW", 1)
    tasks.fold_words()
    decide.note(told.number, "Quetzal", by=commander)
    tasks.fold_words()
    assert Words.objects.count() == 2
    assert found("quetzal") == found("logins") == [told.name]


@pytest.mark.django_db(transaction=True)
def test_two_who_fold_at_once_do_it_once(told: Incident) -> None:
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [search.FOLD_LOCK])
        assert search.fold() == 0
        cursor.execute("ROLLBACK")
    other.close()
    assert search.fold() > 0
