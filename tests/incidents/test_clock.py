"""Moments are UTC, with the time that clocks of a declared zone showed beside them, also where those were changed."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from incidents import documents
from incidents.models import Incident
from incidents.postmortem.clock import cell, said
from novaops import environment as environments
from novaops.environment import Environment


@pytest.mark.parametrize(
    ("at", "zone", "written"),
    [
        ("2026-10-25 00:30", "Europe/Berlin", "2026-10-25 00:30:00 (02:30:00 CEST)"),
        ("2026-10-25 01:30", "Europe/Berlin", "2026-10-25 01:30:00 (02:30:00 CET)"),
        ("2026-03-29 00:59", "Europe/Berlin", "2026-03-29 00:59:00 (01:59:00 CET)"),
        ("2026-03-29 01:00", "Europe/Berlin", "2026-03-29 01:00:00 (03:00:00 CEST)"),
        ("2026-12-31 23:30", "Africa/Lagos", "2026-12-31 23:30:00 (2027-01-01 00:30:00 WAT)"),
        ("2026-06-01 12:00", "Asia/Kolkata", "2026-06-01 12:00:00 (17:30:00 IST)"),
        ("2026-06-01 12:00", "", "2026-06-01 12:00:00"),
    ],
)
def test_a_moment_is_utc_first_and_local_in_brackets(at: str, zone: str, written: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert cell(moment, zone) == written
    assert said(moment, zone) == written.replace(":00 (", ":00 UTC (", 1) if zone else f"{written} UTC"


def test_a_moment_that_is_not_known_stays_blank() -> None:
    assert cell(None, "Europe/Berlin") == ""


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_two_moments_never_read_the_same(at: datetime) -> None:
    written = cell(at, "America/New_York")
    assert datetime.fromisoformat(written.partition(" (")[0]).replace(tzinfo=UTC) == at.replace(microsecond=0)


@pytest.mark.django_db
def test_the_document_gives_local_times_where_a_zone_is_declared(
    place: Environment, declare: Callable[..., Incident], commander: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = place.model_copy(update={"time_zone": "Africa/Lagos"})
    monkeypatch.setattr(environments, "environments", lambda: {there.name: there})
    incident = declare(commander)
    text = documents.ensure(incident.number, by=commander, base_url="").text
    assert f"| Started | {cell(incident.started_at, 'Africa/Lagos')} |" in text
    assert "in brackets as clocks of Africa/Lagos showed them" in text
    assert '\ntime_zone: "Africa/Lagos"\n' in text
    assert f"\nstarted: {incident.started_at:%Y-%m-%dT%H:%M:%SZ}\n" in text
    assert text.count(" WAT)") > 8
