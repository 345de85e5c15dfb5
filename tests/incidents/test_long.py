"""An incident of very many entries costs what any other does, and what is told of it stays short enough to be read."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from incidents import drafting, reviews
from incidents import incident as decide
from incidents.guard import Refused
from incidents.models import Incident, Postmortem, TimelineEntry

SignIn = Callable[[User], Client]
MANY = 600


@pytest.fixture
def long(declare: Callable[..., Incident], commander: User) -> Incident:
    """An incident with many entries by people, each starred."""
    incident, now = declare(commander), timezone.now()
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            incident=incident,
            at=now - timedelta(seconds=MANY - n),
            recorded_at=now,
            kind="note",
            author=commander,
            text=f"note {n}.",
            starred=True,
        )
        for n in range(MANY)
    )
    return incident


@pytest.mark.django_db
def test_a_summary_tells_the_newest_key_moments(long: Incident, client_of: SignIn, commander: User) -> None:
    shown = client_of(commander).get(f"/incidents/{long.number}/summary").content.decode()
    assert f"note {MANY - 1}." in shown
    assert "earlier ones are in the room" in shown
    assert shown.count("note ") <= drafting.MOST_KEY


@pytest.mark.django_db
def test_what_is_too_long_for_a_timeline_is_refused(long: Incident, commander: User) -> None:
    with pytest.raises(Refused, match="at most 20,000 characters"):
        decide.note(long.number, "x" * 20_001, by=commander)


@pytest.mark.django_db
def test_the_linter_reads_few_of_many_times_and_finds_every_gap(long: Incident) -> None:
    began = timezone.now() - timedelta(hours=3)
    Incident.objects.update(started_at=began, resolved_at=timezone.now())
    document = Postmortem(incident=Incident.objects.get(), text="")
    told = reviews.told(document.incident)
    assert len(told) < MANY / 20
    (gap,) = [one for one in reviews.findings(document) if one.check == "gap"]
    first = TimelineEntry.objects.order_by("at").values_list("at", flat=True)[0]
    assert f"{first:%H:%M:%S}" in gap.sentence
