"""Incidents in the API: declared once, changed by version, read page by page."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse

from dashboard.models import Alert
from incidents import incident as decide
from incidents import merging
from incidents.models import Incident, TimelineEntry
from novaops.audit.models import Entry
from tests.api.conftest import Program
from tests.api.test_access import problem
from tests.incidents.conftest import clear, declare, make_alert, make_run, place, worked

__all__ = ["clear", "declare", "make_alert", "make_run", "place", "worked"]
pytestmark = pytest.mark.django_db
ProgramOf = Callable[..., Program]
Declare = Callable[..., Incident]


def wrong(**changes: Any) -> dict[str, Any]:
    """The body that declares something wrong."""
    body = {"environment": "sandbox", "title": "Logins fail", "reach": "some", "services": ["api"], "report": "Seen"}
    return {**body, **changes}


def json(answer: HttpResponse) -> Any:
    return answer.json()  # type: ignore[attr-defined]


def pages(program: Program, path: str, **query: Any) -> Iterator[Any]:
    cursor: dict[str, Any] = {}
    while True:
        body = json(program.get(path, **query, **cursor))
        yield from body["items"]
        if body["next_cursor"] is None:
            return
        cursor = {"cursor": body["next_cursor"]}


@pytest.mark.usefixtures("place")
def test_an_incident_is_declared_once_for_each_key(program_of: ProgramOf, commander: User) -> None:
    program = program_of(commander)
    first = program.post("incidents", wrong(), Idempotency_Key="a")
    again = program.post("incidents", wrong(), Idempotency_Key="a")
    assert (first.status_code, again.status_code, first["Location"]) == (201, 200, again["Location"])
    body = json(first)
    assert (body["number"], body["severity"], body["state"], body["commander"]) == (1, "SEV3", "open", None)
    # A program is nobody who took it, and nobody has said when it began.
    assert (body["acknowledged_at"], body["start_known"]) == (None, False)
    assert [step["key"] for step in body["steps"]][:2] == ["detect", "assess"]
    assert json(program.client.get(first["Location"])) == body
    assert Entry.objects.get(verb="incident.declared").via == f"api:{program.token_id}"
    other = program.post("incidents", wrong(title="Other"), Idempotency_Key="a")
    assert problem(other, 422, "key-reused")["field"] == "Idempotency-Key"


@pytest.mark.usefixtures("place")
def test_a_covered_cause_is_a_conflict_unless_it_is_meant(program_of: ProgramOf, responder: User) -> None:
    program = program_of(responder)
    program.post("incidents", wrong(), Idempotency_Key="a")
    assert "INC-1" in str(problem(program.post("incidents", wrong(), Idempotency_Key="b"), 409, "covered")["detail"])
    assert program.post("incidents", wrong(anyway=True), Idempotency_Key="b").status_code == 201


def test_an_alert_fills_detect(make_alert: Callable[..., Alert], program_of: ProgramOf, responder: User) -> None:
    alert, program = make_alert(), program_of(responder)
    firing = json(program.get("alerts", state="firing", service="api"))["items"]
    assert [one["id"] for one in firing] == [alert.pk]
    assert json(program.get(f"alerts/{alert.pk}")) == firing[0]
    assert json(program.get("incidents", alert=alert.pk))["items"] == []
    body = program.made("incidents", wrong(alert=alert.pk, report=""))
    assert [one["number"] for one in json(program.get("incidents", alert=alert.pk))["items"]] == [body["number"]]
    problem(program.get("alerts/9999"), 404, "not-found")
    assert (body["steps"][0]["state"], body["steps"][0]["evidence"][0]["kind"]) == ("done", "alert")
    assert body["start_known"]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"environment": "moon"}, "environment"),
        ({"alert": 99}, "alert"),
        ({"reach": None}, "severity"),
        ({"severity": "SEV9"}, "severity"),
        ({"services": []}, "services"),
        ({"services": ["moon"]}, "services"),
        ({"title": " "}, "title"),
        ({"started_at": "2026-11-25T10:00:00"}, "started_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_told(program_of: ProgramOf, responder: User, changes: dict[str, Any], field: str) -> None:
    body = problem(program_of(responder).post("incidents", wrong(**changes), Idempotency_Key="a"), 422, "invalid")
    assert str(body["field"]).startswith(field)
    assert not Incident.objects.exists()


@pytest.mark.usefixtures("place")
def test_reading_and_writing_need_their_scopes(program_of: ProgramOf, responder: User, viewer: User) -> None:
    reads, writes = program_of(responder, "read"), program_of(responder, "write:incidents")
    problem(reads.post("incidents", wrong(), Idempotency_Key="a"), 403, "not-permitted")
    problem(program_of(viewer).post("incidents", wrong(), Idempotency_Key="a"), 403, "not-permitted")
    assert writes.post("incidents", wrong(), Idempotency_Key="a").status_code == 201
    problem(writes.get("incidents"), 403, "not-permitted")
    for path in ("incidents/1/notes", "incidents/1/follow-ups"):
        body = {"text": "x"} if "notes" in path else {"title": "x", "kind": "prevent"}
        problem(reads.post(path, body, Idempotency_Key="b"), 403, "not-permitted")


def test_a_change_from_an_old_version_changes_nothing(declare: Declare, program_of: ProgramOf, responder: User) -> None:
    declare(responder)
    program = program_of(responder)
    answer = program.patch("incidents/1", {"version": 1, "impact": "Every merchant"})
    assert (answer.status_code, json(answer)["impact"], json(answer)["version"]) == (200, "Every merchant", 2)
    refused = program.patch("incidents/1", {"version": 1, "impact": "Nobody"})
    assert problem(refused, 409, "changed")["field"] == "version"
    assert Incident.objects.get().impact == "Every merchant"
    problem(program.patch("incidents/9", {"version": 1}), 404, "not-found")
    problem(program.patch("incidents/1", {"version": 1, "severity": "SEV4"}), 422, "invalid")


def test_notes_are_written_once_and_the_timeline_comes_page_by_page(
    declare: Declare, program_of: ProgramOf, responder: User
) -> None:
    declare(responder)
    program = program_of(responder)
    for key in ("a", "b", "a"):
        assert program.post("incidents/1/notes", {"text": f"note {key}"}, Idempotency_Key=key).status_code in (200, 201)
    notes = list(pages(program, "incidents/1/timeline", kind="note", limit=1))
    assert [(note["text"], note["author"]) for note in notes] == [("note b", "responder"), ("note a", "responder")]
    newer = json(program.get("incidents/1/timeline", after=notes[1]["id"]))["items"]
    assert [entry["text"] for entry in newer] == ["note b"]
    everything = list(pages(program, "incidents/1/timeline", limit=3))
    assert len(everything) == TimelineEntry.objects.count()
    problem(program.post("incidents/9/notes", {"text": "x"}, Idempotency_Key="c"), 404, "not-found")
    future = {"text": "x", "at": "2199-01-01T00:00:00Z"}
    problem(program.post("incidents/1/notes", future, Idempotency_Key="c"), 409, "refused")


def test_incidents_are_listed_filtered_and_searched(
    declare: Declare, make_alert: Callable[..., Alert], program_of: ProgramOf, commander: User
) -> None:
    declare(commander, title="Unicorns escaped")
    declare(commander, alert=make_alert(service="cache", rule="x"), services=("cache",), severity="SEV4")
    third = declare(commander, alert=make_alert(service="events", rule="y"), services=("events",))
    merging.merge(third.number, 1, "One and the same cause", by=commander)
    program = program_of(commander)

    def numbers(**query: Any) -> list[int]:
        return [one["number"] for one in pages(program, "incidents", limit=1, **query)]

    assert numbers() == [3, 2, 1]
    assert (numbers(severity="SEV4"), numbers(service="cache"), numbers(q="unicorn")) == ([2], [2], [1])
    assert (numbers(state="merged"), numbers(drill="true"), numbers(drill="false")) == ([3], [], [3, 2, 1])
    assert json(program.get("incidents/3"))["merged_into"] == 1


def test_a_severity_changes_by_its_definition_and_version(
    declare: Declare, program_of: ProgramOf, commander: User
) -> None:
    declare(commander)
    program = program_of(commander)
    body = program.made("incidents/1/severity", {"version": 1, "reach": "all", "reason": "Nobody can pay"})
    assert (body["severity"], body["version"]) == ("SEV1", 2)
    late = program.post("incidents/1/severity", {"version": 1, "severity": "SEV4"}, Idempotency_Key="a")
    assert problem(late, 409, "changed")["version"] == 2
    weak = program_of(commander, "read", "write:incidents")
    refused = weak.post("incidents/1/severity", {"version": 2, "severity": "SEV4"}, Idempotency_Key="a")
    assert problem(refused, 403, "not-permitted")["detail"] == "The token lacks the scope command:incidents."


def test_a_moment_is_corrected_and_the_promise_of_an_update_is_told(
    declare: Declare, program_of: ProgramOf, responder: User
) -> None:
    began = declare(responder).started_at.replace(microsecond=0) - timedelta(minutes=5)
    moment = {"version": 1, "name": "started", "at": began.isoformat(), "reason": "The load balancer's log"}
    body = program_of(responder).made("incidents/1/moments", moment)
    assert datetime.fromisoformat(body["started_at"]) == began
    due = datetime.fromisoformat(body["next_update_due_at"]) - datetime.fromisoformat(body["declared_at"])
    assert due == timedelta(minutes=60)


@pytest.mark.usefixtures("place")
def test_a_duplicate_is_offered_added_to_or_merged(program_of: ProgramOf, commander: User) -> None:
    program = program_of(commander)
    program.made("incidents", wrong())
    covered = problem(program.post("incidents", wrong(), Idempotency_Key="b"), 409, "covered")
    assert (covered["incident"], covered["same_cause"]) == (1, False)
    added = {"title": "Cache, too", "services": ["cache"], "report": "Sessions are lost"}
    assert program.made("incidents/1/additions", added)["services"] == ["api", "cache"]
    assert program.made("incidents", wrong(anyway=True, services=["events"]))["number"] == 2
    assert [one["number"] for one in json(program.get("incidents/2/duplicates"))] == [1]
    merged = program.made("incidents/2/merge", {"into": 1, "reason": "The same outage of Redis"})
    assert (merged["number"], merged["services"]) == (1, ["api", "cache", "events"])
    assert json(program.get("incidents/2"))["merged_into"] == 1
    assert (
        problem(program.post("incidents/2/notes", {"text": "x"}, Idempotency_Key="c"), 409, "merged")["incident"] == 1
    )


def test_entries_are_marked_and_never_changed(declare: Declare, program_of: ProgramOf, responder: User) -> None:
    declare(responder)
    program = program_of(responder)
    entry = program.made("incidents/1/notes", {"text": "The pool is full"})["items"][0]
    path = f"incidents/1/timeline/{entry['id']}"
    assert json(program.patch(path, {"starred": True, "pinned": True})) == {**entry, "starred": True, "pinned": True}
    problem(program.patch(path, {"text": "other"}), 422, "invalid")
    problem(program.patch("incidents/1/timeline/9999", {"starred": True}), 404, "not-found")


def test_every_decision_of_a_program_names_its_token_in_the_audit(
    declare: Declare, program_of: ProgramOf, responder: User
) -> None:
    declare(responder)
    program = program_of(responder)
    program.made("incidents/1/notes", {"text": "By a program"})
    assert Entry.objects.get(verb="incident.note").via == f"api:{program.token_id}"
    decide.note(1, "By a person", by=responder)
    assert Entry.objects.filter(verb="incident.note").latest("seq").via == "page"
