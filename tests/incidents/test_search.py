"""Finding incidents by what is written in them, before and after their words were folded."""

from collections.abc import Callable
from importlib import import_module

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from incidents import incident as decide
from incidents import search, tasks
from incidents.models import Incident, TimelineEntry, Words

pytestmark = pytest.mark.django_db
Declare = Callable[..., Incident]
SignIn = Callable[[User], Client]


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


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("支払いサービスが停止した", "サービス 停止"),
        ("การชำระเงินล้มเหลว", "ชำระเงิน"),
        ("भुगतान विफल रहा", "भुगतान"),
        ("Платежи не проходят", "платеж"),
        ("Café closed", "cafe\u0301 \uff43losed"),
        ("the and of it", "the of"),
    ],
    ids=["japanese", "thai", "hindi", "russian", "composed", "stop words"],
)
def test_other_scripts_and_common_words_are_found(
    told: Incident, commander: User, written: str, asked: str, folded: bool
) -> None:
    decide.note(told.number, written, by=commander)
    if folded:
        tasks.fold_words()
    assert found(asked) == [told.name]
    assert found(f"{asked} unicorn") == []


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE x; --", "%_%", "a & !b | (c <-> d):*", "\\'\"\ud7ff\u200b", "x" * 4000, "9" * 4000]
)
@pytest.mark.parametrize("address", ["/incidents/", "/postmortems/", "/follow-ups/"])
def test_a_hostile_text_is_answered(client_of: SignIn, viewer: User, told: Incident, address: str, text: str) -> None:
    client = client_of(viewer)
    answer = client.get(address, {"q": text, "before": "9" * 5000, "state": text, "service": text, "kind": text})
    assert answer.status_code == 200
    assert ("has no letter or digit" in answer.content.decode()) == (
        address != "/follow-ups/" and search.wordless(text)
    )


def test_what_was_folded_into_other_words_is_folded_again(told: Incident, commander: User) -> None:
    decide.note(told.number, "支払いサービスが停止した", by=commander)
    tasks.fold_words()
    Words.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(import_module("incidents.migrations.0007_fold_again").AGAIN)
        assert cursor.rowcount == 1
    assert found("停止") == [told.name]
    tasks.fold_words()
    assert found("停止") == [told.name]


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
