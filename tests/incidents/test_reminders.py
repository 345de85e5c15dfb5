"""A promised update is reminded of before it is due and while it is overdue, once each time."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from incidents import reminders
from incidents.models import Incident
from incidents.tasks import remind_updates
from novaops import environment as environments
from novaops import live
from novaops.outbox.models import Message

Declare = Callable[..., Incident]


def told_ago(incident: Incident, minutes: float) -> None:
    Incident.objects.filter(pk=incident.pk).update(told_at=timezone.now() - timedelta(minutes=minutes))


def texts() -> list[str]:
    return [str(message.payload["text"]).partition(": ")[2] for message in Message.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        pytest.param(50, [], id="not yet"),
        pytest.param(56, ["the next update is due"], id="soon"),
        pytest.param(61, ["the update of"], id="overdue"),
    ],
)
def test_a_sev2_is_reminded_of_after_an_hour(declare: Declare, commander: User, minutes: int, words: list[str]) -> None:
    told_ago(declare(commander), minutes)
    for _ in range(2):
        remind_updates()
    assert len(texts()) == len(words)
    assert all(text.startswith(word) for text, word in zip(texts(), words, strict=True))


def test_while_it_stays_overdue_it_is_reminded_of_each_interval(declare: Declare, commander: User) -> None:
    incident = declare(commander)
    told_ago(incident, 61)
    remind_updates()
    later = timezone.now() + timedelta(minutes=60)
    assert [reminder.late for reminder in reminders.due(later)] == [1]


def test_nothing_is_promised_for_a_sev4_or_after_the_end(declare: Declare, commander: User) -> None:
    told_ago(declare(commander, severity="SEV4"), 600)
    closed = declare(commander, alert=None, services=("cache",), severity="SEV1")
    Incident.objects.filter(pk=closed.pk).update(state=Incident.State.RESOLVED)
    remind_updates()
    assert texts() == []


def test_a_reminder_tells_nobody_outside_and_starts_no_new_clock(declare: Declare, commander: User) -> None:
    incident = declare(commander)
    told_ago(incident, 61)
    remind_updates()
    incident.refresh_from_db()
    assert incident.next_update_due_at
    assert incident.next_update_due_at < timezone.now()
    assert not incident.timeline.filter(kind="message").exists()


def test_without_slack_the_pages_still_say_it(
    declare: Declare,
    commander: User,
    monkeypatch: pytest.MonkeyPatch,
    client_of: Callable[[User], Client],
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    incident = declare(commander)
    told_ago(incident, 61)
    plain = environments.default().model_copy(update={"slack": None})
    monkeypatch.setattr(environments, "environments", lambda: {plain.name: plain})
    before = live.revision(f"incident:{incident.number}")
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        remind_updates()
    assert live.revision(f"incident:{incident.number}") != before
    assert "update overdue" in client_of(commander).get("/").content.decode()
