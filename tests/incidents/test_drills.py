"""Drills: begun on the simulated Nova only, marked on every page, scored, and learned from by nobody else."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import checklist, drills
from incidents.guard import Refused
from incidents.models import Drill, Incident
from novaops.audit.models import Entry
from novaops.cloud import rehearsal
from novaops.environment import Environment
from tests.servers import Nova

Declare = Callable[..., Incident]
pytestmark = pytest.mark.django_db


@pytest.fixture
def simulated(aws: Nova, settings: object) -> str:
    """The control address of the running simulated Nova."""
    settings.SANDBOX_URL = os.environ["NOVAOPS_SANDBOX_URL"]  # type: ignore[attr-defined]
    return os.environ["NOVAOPS_SANDBOX_URL"]


def going_on(environment: str, by: User, **changes: object) -> Drill:
    values = {"scenario": "high-cpu", "started_at": timezone.now() - timedelta(minutes=20), "started_by": by}
    return Drill.objects.create(environment=environment, **{**values, **changes})


def test_a_scenario_begins_and_ends_over_the_control_address(
    simulated: str, place: Environment, client_of: Callable[[User], Client], responder: User
) -> None:
    client = client_of(responder)
    assert "high-cpu" in client.get(reverse("incidents:drills")).content.decode()
    client.post(reverse("incidents:drill_start"), {"environment": place.name, "scenario": "high-cpu"})
    drill = Drill.objects.get()
    assert rehearsal._ask("GET", f"{simulated}/state")["scenario"] == "high-cpu"
    client.post(reverse("incidents:drill_end", args=[drill.pk]))
    drill.refresh_from_db()
    assert (drill.score["points"], drill.score["missed"]) == (0, ["No incident was declared"])
    assert rehearsal._ask("GET", f"{simulated}/state")["scenario"] == "calm"
    assert [entry.verb for entry in Entry.objects.order_by("seq")] == ["drill.started", "drill.ended"]


def test_no_drill_comes_near_a_real_environment(
    place: Environment, settings: object, monkeypatch: pytest.MonkeyPatch, responder: User
) -> None:
    address = os.environ["NOVAOPS_SANDBOX_URL"]
    for url, production, aws, sentence in (
        ("", False, os.environ["AWS_ENDPOINT_URL"], "NOVAOPS_SANDBOX_URL is not set"),
        (address, True, os.environ["AWS_ENDPOINT_URL"], "is production"),
        (address, False, "", "could touch something real"),
        (address, False, "https://rds.eu-west-1.amazonaws.com", "could touch something real"),
    ):
        settings.SANDBOX_URL = url  # type: ignore[attr-defined]
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
        there = place.model_copy(update={"production": production})
        with pytest.raises(Refused, match=sentence):
            drills.start(there, "high-cpu", by=responder)
    assert not Drill.objects.exists()


def test_a_viewer_starts_no_drill(place: Environment, viewer: User) -> None:
    with pytest.raises(PermissionDenied):
        drills.start(place, "high-cpu", by=viewer)


@pytest.mark.parametrize("scenario", ["lunch", "calm"])
def test_an_unknown_scenario_is_refused(simulated: str, place: Environment, responder: User, scenario: str) -> None:
    with pytest.raises(Refused, match="no scenario"):
        drills.start(place, scenario, by=responder)


def test_one_drill_at_a_time_and_none_beside_an_incident(
    simulated: str, place: Environment, declare: Declare, responder: User
) -> None:
    going_on(place.name, responder)
    with pytest.raises(Refused, match="A drill is running"):
        drills.start(place, "high-cpu", by=responder)
    Drill.objects.all().delete()
    declare(responder)
    with pytest.raises(Refused, match="An incident is open"):
        drills.start(place, "high-cpu", by=responder)


def test_what_is_declared_meanwhile_is_marked_as_a_drill_everywhere(
    place: Environment, declare: Declare, client_of: Callable[[User], Client], commander: User
) -> None:
    going_on(place.name, commander)
    incident = declare(commander)
    client = client_of(commander)
    for path in (incident.get_absolute_url(), reverse("incidents:step", args=[incident.number, "assess"])):
        page = client.get(path).content.decode()
        assert "<strong>DRILL</strong>" in page
        assert "sandbox drill" in page or ' drill"' in page
    assert "DRILL: High CPU" in client.get("/").content.decode()
    assert Incident.objects.get().is_drill
    assert Drill.objects.get().incident == incident


def test_a_drill_is_scored_by_its_times_and_steps(place: Environment, worked: Incident, commander: User) -> None:
    checklist.complete(worked.number, "resolve", by=commander)
    worked.refresh_from_db()
    drill = going_on(place.name, commander, incident=worked, started_at=worked.detected_at)
    score = drills.score(drill)
    times = {time["name"]: time for time in score["times"]}
    assert times["Detect"]["points"] == times["Resolve"]["points"] == 15
    assert times["Acknowledge"]["took_s"] > times["Acknowledge"]["target_s"]
    assert times["Acknowledge"]["points"] < 15
    assert score["missed"] == ["Post-mortem (open)"]
    checklist.reopen_step(worked.number, "communicate", "It was not done after all", by=commander)
    checklist.override(worked.number, "communicate", "Nobody was there to tell", by=commander)
    again = drills.score(drill)
    assert "Communicate (overridden)" in again["missed"]
    assert again["points"] < score["points"]


def test_without_a_drill_an_incident_is_real(declare: Declare, commander: User) -> None:
    assert not declare(commander).is_drill
