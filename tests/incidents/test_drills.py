"""Drills: begun on the simulated Nova only, marked on every page, scored, and learned from by nobody else."""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.rehearsals import MARK
from incidents import checklist, deadlines, documents, drills, merging, reminders, slack_command, telling
from incidents.guard import Refused
from incidents.models import Drill, Incident, SlackPerson
from incidents.telling import Said
from novaops import environment as environments
from novaops.audit.models import Entry
from novaops.cloud import rehearsal
from novaops.declared import Drills
from novaops.environment import Environment
from novaops.outbox.models import Message
from novaops.runbook import engine, objections, requests
from novaops.runbook.models import Call, Plan, Run
from tests.outbox.conftest import carry_on
from tests.servers import Nova

Declare = Callable[..., Incident]
pytestmark = pytest.mark.django_db
ROOT = Path(drills.__file__).parents[1]
PRODUCT = ("novaops", "dashboard", "incidents", "backups")


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


def test_the_score_can_be_computed_again_from_the_declared_targets(
    place: Environment, worked: Incident, commander: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    checklist.complete(worked.number, "resolve", by=commander)
    worked.refresh_from_db()
    drill = going_on(place.name, commander, incident=worked, started_at=worked.detected_at)
    declared = Drills(detect_s=60, acknowledge_s=600, mitigate_s=60, resolve_s=1000)
    there = place.model_copy(update={"drills": declared})
    monkeypatch.setattr(environments, "environments", lambda: {there.name: there})
    assert worked.detected_at
    took = {
        name: (getattr(worked, f"{name}_at") - worked.detected_at).total_seconds()
        for name in ("detected", "acknowledged", "mitigated", "resolved")
    }
    targets = dict(zip(took, (60, 600, 60, 1000), strict=True))
    points = [
        round(15 * max(0, 1 - max(took[name] / target - 1, 0) / 2)) if took[name] > target else 15
        for name, target in targets.items()
    ]
    score = drills.score(drill)
    assert [time["points"] for time in score["times"]] == points
    assert [time["target_s"] for time in score["times"]] == [60, 600, 60, 1000]
    assert 0 < points[1] < 15 > points[2] == 0
    assert (score["steps"], score["missed"]) == (
        {"done": 5, "all": 6, "points": 33, "most": 40},
        ["Post-mortem (open)"],
    )
    assert score["points"] == sum(points) + 33


@pytest.mark.usefixtures("sandbox")
def test_an_overridden_step_is_not_done_and_the_page_says_how_the_points_came_about(
    place: Environment, worked: Incident, commander: User, client_of: Callable[[User], Client]
) -> None:
    checklist.reopen_step(worked.number, "communicate", "It was not done after all", by=commander)
    checklist.override(worked.number, "communicate", "Nobody was there to tell", by=commander)
    drill = going_on(place.name, commander, incident=worked)
    drill.ended_at, drill.score = timezone.now(), drills.score(drill)
    drill.save()
    page = client_of(commander).get(reverse("incidents:drills")).content.decode()
    for words in ("Communicate (overridden)", "is worth 15 points up to its target", "after the scenario began"):
        assert words in page
    assert "target 40 min: 0 of 15 points" in page
    assert "Steps: 3 of 6 done" in page


def test_no_way_leads_from_a_drill_to_something_real(
    place: Environment,
    declare: Declare,
    commander: User,
    settings: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its systems are the real ones by now: pages, API, Slack, reminders, resolving and merging send nothing."""
    settings.SANDBOX_URL = ""  # type: ignore[attr-defined]
    going_on(place.name, commander)
    incident = declare(commander)
    telling.name_at_pagerduty(incident.number, "QREAL", by=commander)
    with pytest.raises(Refused, match="NOVAOPS_SANDBOX_URL is not set"):
        telling.tell(incident.number, Said(slack="Help", page="Down", pagerduty=True), by=commander, key="1")
    with pytest.raises(Refused, match="NOVAOPS_SANDBOX_URL is not set"):
        telling.update(incident.number, "Help", by=commander, key="2")
    SlackPerson.objects.create(slack_user="U1", user=commander, added_by=commander)
    assert "is open for this" in slack_command.answer([place], "U1", "declare sev1 api Help")
    Incident.objects.update(told_at=timezone.now() - timedelta(days=1))
    reminders.remind()
    other = declare(commander, alert=None, services=("cache",))
    merging.merge(other.number, incident.number, "The same thing, rehearsed", by=commander)
    checklist.override(incident.number, "resolve", "a rehearsal of the end", by=commander)
    deadlines.remind(timezone.now() + timedelta(days=9))
    assert not Message.objects.exists()
    for where, number in ((place.name, None), (place.name, incident.number), ("elsewhere", incident.number)):
        plan = Plan.objects.create(
            action="restart-api", environment=where, service="api", target="x", requested_by=commander, state="ready"
        )
        real = place.model_copy(update={"name": "elsewhere", "title": "Production", "production": True})
        monkeypatch.setattr(environments, "environments", lambda real=real: {place.name: place, "elsewhere": real})
        with pytest.raises(requests.NotStarted, match="drill") as refused:
            requests.request(plan, by=commander, reason="rehearse", idempotency_key=str(plan.pk), incident=number)
        assert refused.value.code == "objected"
    assert not Run.objects.exists()


def test_what_waited_when_something_real_came_within_reach_neither_leaves_nor_begins(
    simulated: str,
    place: Environment,
    declare: Declare,
    make_run: Callable[..., Run],
    commander: User,
    settings: object,
) -> None:
    going_on(place.name, commander)
    incident = declare(commander)
    telling.tell(incident.number, Said(slack="We look"), by=commander, key="1")
    assert objections.to(place, incident.number) == ""
    settings.SANDBOX_URL = ""  # type: ignore[attr-defined]
    message = carry_on(Message.objects.get())
    assert (message.state, message.signed_at) == ("failed", None)
    assert "NOVAOPS_SANDBOX_URL is not set" in message.sentence
    run = make_run(commander, status="queued", incident=incident.number)
    Plan.objects.update(state="ready")
    engine.advance(run.pk)
    run.refresh_from_db()
    assert (run.status, "A drill goes on in Sandbox" in run.outcome) == ("failed", True), run.outcome
    assert not Call.objects.exists()


def test_there_is_one_door_for_runs_and_none_for_messages_that_is_not_guarded() -> None:
    """Pages, palette, API and Slack all go through these: no other module makes a run or queues a message."""
    code = {str(path): path.read_text() for name in PRODUCT for path in (ROOT / name).rglob("*.py")}
    made = [name for name, text in code.items() if "Run.objects.create(" in text]
    posts = [
        name
        for name, text in code.items()
        if re.search(r"^from novaops\.outbox\.posting import .*\bpost\b", text, re.M)
    ]
    assert [Path(name).name for name in made] == ["requests.py"]
    assert sorted(str(Path(name).relative_to(ROOT)) for name in posts) == [
        "dashboard/telling.py",
        "incidents/deadlines.py",
        "incidents/reminders.py",
        "incidents/telling.py",
    ]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Slack", "https://slack.com/api"),
        ("Redis", "redis://:secret@nova.cache.amazonaws.com:6379/0"),
        ("The database", "postgresql://nova@127.0.0.1/nova?host=nova.rds.amazonaws.com"),
        ("The database", "host=nova.rds.amazonaws.com dbname=nova"),
    ],
)
def test_a_system_of_somewhere_else_keeps_a_drill_from_beginning(name: str, address: str) -> None:
    base = "http://127.0.0.1:5000/_sandbox"
    fine = {"PagerDuty": "http://127.0.0.1:5000/_sinks/pagerduty", "Redis": "redis://127.0.0.1:6400/0", "Other": ""}
    fine |= {"The database": "postgresql://nova@%2Ftmp%2Fnova/nova"}
    assert rehearsal.elsewhere(base, fine) == []
    assert rehearsal.elsewhere(base, {**fine, name: address}) == [name]
    assert rehearsal.elsewhere(base, {**fine, name: "http://127.0.0.1:5001/other"}) == [name]


def test_every_message_of_a_drill_carries_its_mark_whatever_people_typed(
    simulated: str, place: Environment, declare: Declare, commander: User
) -> None:
    going_on(place.name, commander)
    incident = declare(commander)
    telling.name_at_pagerduty(incident.number, "Q1", by=commander)
    said = Said(slack="It burns", page="All is lost", page_name="API", pagerduty=True)
    telling.tell(incident.number, said, by=commander, key="1")
    Incident.objects.update(told_at=timezone.now() - timedelta(days=1))
    reminders.remind()
    checklist.override(incident.number, "resolve", "a rehearsal of the end", by=commander)
    payloads = [message.payload for message in Message.objects.exclude(operation__in=["acknowledge", "resolve"])]
    assert len(payloads) == 6
    for payload in payloads:
        assert all(payload[key].startswith(MARK) for key in ("text", "body", "name") if key in payload), payload


def test_its_document_its_print_and_its_front_matter_say_that_it_was_one(
    place: Environment, declare: Declare, commander: User, client_of: Callable[[User], Client]
) -> None:
    going_on(place.name, commander)
    incident = declare(commander)
    text = documents.ensure(incident.number, by=commander, base_url="").text
    assert "\n# DRILL INC-1: High CPU on the API\n\n> **DRILL**: a rehearsal" in text
    assert "\ndrill: true\n" in text
    assert '"drill"' in text.partition("\ntags: ")[2].partition("\n")[0]
    page = client_of(commander).get(reverse("incidents:postmortem_print", args=[1])).content.decode()
    assert '<body class="drill">' in page
    assert "<strong>DRILL</strong>" in page


def test_while_it_goes_on_every_page_says_so_before_anybody_declared_it(
    simulated: str,
    place: Environment,
    commander: User,
    client_of: Callable[[User], Client],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    drill = going_on(place.name, commander)
    client = client_of(commander)
    for path in ("/", "/services/api/", "/runs/", "/audit/", "/backups/", reverse("learning:library")):
        page = client.get(path)
        assert "<strong>DRILL</strong>" in page.content.decode(), path
    with django_capture_on_commit_callbacks(execute=True):
        drills.end(drill.pk, by=commander)
    assert "<strong>DRILL</strong>" not in client.get("/").content.decode()


def test_without_a_drill_an_incident_is_real(declare: Declare, commander: User) -> None:
    assert not declare(commander).is_drill
