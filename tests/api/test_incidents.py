"""Incidents in the API: declared once, changed by version, read page by page."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse

from dashboard.models import Alert
from incidents import checklist, documents, merging
from incidents.models import FollowUp, Incident, TimelineEntry
from novaops.audit.models import Entry
from tests.api.conftest import Program
from tests.api.test_access import problem
from tests.incidents.conftest import clear, declare, make_alert, make_run, place, worked

__all__ = ["clear", "declare", "make_alert", "make_run", "place", "worked"]
pytestmark = pytest.mark.django_db
ProgramOf = Callable[..., Program]


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
    alert = make_alert()
    body = json(program_of(responder).post("incidents", wrong(alert=alert.pk, report=""), Idempotency_Key="a"))
    assert (body["steps"][0]["state"], body["steps"][0]["evidence"][0]["kind"]) == ("done", "alert")


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


def patch(program: Program, path: str, body: dict[str, Any]) -> HttpResponse:
    return program.client.patch(f"/api/v1/{path}", body, content_type="application/json")  # type: ignore[return-value]


def test_a_change_from_an_old_version_changes_nothing(
    declare: Callable[..., Incident], program_of: ProgramOf, responder: User
) -> None:
    declare(responder)
    program = program_of(responder)
    answer = patch(program, "incidents/1", {"version": 1, "impact": "Every merchant"})
    assert (answer.status_code, json(answer)["impact"], json(answer)["version"]) == (200, "Every merchant", 2)
    refused = patch(program, "incidents/1", {"version": 1, "impact": "Nobody"})
    assert problem(refused, 409, "changed")["field"] == "version"
    assert Incident.objects.get().impact == "Every merchant"
    problem(patch(program, "incidents/9", {"version": 1}), 404, "not-found")
    problem(patch(program, "incidents/1", {"version": 1, "severity": "SEV4"}), 422, "invalid")


def test_notes_are_written_once_and_the_timeline_comes_page_by_page(
    declare: Callable[..., Incident], program_of: ProgramOf, responder: User
) -> None:
    declare(responder)
    program = program_of(responder)
    for key in ("a", "b", "a"):
        assert program.post("incidents/1/notes", {"text": f"note {key}"}, Idempotency_Key=key).status_code in (200, 201)
    notes = list(pages(program, "incidents/1/timeline", kind="note", limit=1))
    assert [(note["text"], note["author"]) for note in notes] == [("note b", "responder"), ("note a", "responder")]
    everything = list(pages(program, "incidents/1/timeline", limit=3))
    assert len(everything) == TimelineEntry.objects.count()
    problem(program.post("incidents/9/notes", {"text": "x"}, Idempotency_Key="c"), 404, "not-found")
    future = {"text": "x", "at": "2199-01-01T00:00:00Z"}
    problem(program.post("incidents/1/notes", future, Idempotency_Key="c"), 409, "refused")


def test_incidents_are_listed_filtered_and_searched(
    declare: Callable[..., Incident], make_alert: Callable[..., Alert], program_of: ProgramOf, commander: User
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


def test_follow_ups_are_written_listed_and_finished(
    declare: Callable[..., Incident], program_of: ProgramOf, responder: User
) -> None:
    declare(responder)
    program = program_of(responder)
    body = {"title": "Scale earlier", "kind": "prevent", "owner": "responder", "due": "2026-12-01"}
    made = [program.post("incidents/1/follow-ups", body, Idempotency_Key="a") for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 200]
    row = FollowUp.objects.get()
    assert json(program.get("follow-ups"))["items"] == json(program.get("incidents/1/follow-ups")) == [json(made[0])]
    assert json(patch(program, f"follow-ups/{row.pk}", {"state": "done"}))["state"] == "done"
    assert json(program.get("follow-ups", state="open"))["items"] == []
    unknown = program.post("incidents/1/follow-ups", {**body, "owner": "nobody"}, Idempotency_Key="b")
    assert problem(unknown, 422, "invalid")["field"] == "owner"


def test_a_post_mortem_is_read_as_document_and_as_markdown(
    worked: Incident, program_of: ProgramOf, commander: User
) -> None:
    program, number = program_of(commander), worked.number
    problem(program.get(f"incidents/{number}/postmortem"), 404, "not-found")
    checklist.complete(number, "resolve", by=commander)
    made = documents.ensure(number, by=commander, base_url="https://ops.example")
    answer = program.get(f"incidents/{number}/postmortem.md")
    assert (answer["Content-Type"], answer.content.decode()) == ("text/markdown; charset=utf-8", made.text)
    assert json(program.get(f"incidents/{number}/postmortem"))["markdown"] == made.text
