"""Follow-ups and post-mortems by a program: field by field, section by section, nothing lost."""

from collections.abc import Callable
from datetime import timedelta
from json import loads
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from incidents import checklist, documents, drafts, reviews
from incidents.models import Draft, FollowUp, Incident, Postmortem
from tests.api.conftest import Program
from tests.api.test_access import problem
from tests.api.test_incidents import json, pages
from tests.incidents.conftest import clear, declare, make_alert, make_run, place, worked

__all__ = ["clear", "declare", "make_alert", "make_run", "place", "worked"]
pytestmark = pytest.mark.django_db
ProgramOf = Callable[..., Program]
Declare = Callable[..., Incident]


@pytest.fixture
def document(worked: Incident, commander: User) -> Postmortem:
    """The post-mortem of a resolved incident."""
    checklist.complete(worked.number, "resolve", by=commander)
    return documents.ensure(worked.number, by=commander, base_url="https://ops.example")


def test_follow_ups_are_written_changed_listed_and_finished(
    declare: Declare, program_of: ProgramOf, responder: User
) -> None:
    declare(responder)
    program = program_of(responder)
    body = {"title": "Scale earlier", "kind": "prevent", "owner": "responder", "due": "2199-12-01"}
    made = [program.post("incidents/1/follow-ups", body, Idempotency_Key="a") for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 200]
    path = f"follow-ups/{FollowUp.objects.get().pk}"
    assert json(program.get("follow-ups"))["items"] == json(program.get("incidents/1/follow-ups")) == [json(made[0])]
    assert json(program.get(path)) == json(made[0])
    assert problem(program.patch(path, {"due": "2020-12-01"}), 409, "refused")["detail"]
    FollowUp.objects.update(due="2020-12-01")
    assert (
        len(json(program.get("follow-ups", overdue="true", drill="false", owner="responder", kind="prevent"))["items"])
        == 1
    )
    changed = json(program.patch(path, {"title": "Scale at 70 %", "due": None}))
    assert (changed["title"], changed["due"], changed["owner"], changed["kind"]) == (
        *("Scale at 70 %", None, "responder", "prevent"),
    )
    done = json(program.patch(path, {"state": "done", "owner": None, "title": None}))
    assert (done["state"], done["owner"], done["title"], bool(done["closed_at"])) == (
        *("done", None, "Scale at 70 %", True),
    )
    assert json(program.get("follow-ups", state="open"))["items"] == []
    assert problem(program.patch(path, {"owner": "nobody"}), 422, "invalid")["field"] == "owner"
    unknown = program.post("incidents/1/follow-ups", {**body, "owner": "nobody"}, Idempotency_Key="b")
    assert problem(unknown, 422, "invalid")["field"] == "owner"


def test_a_post_mortem_is_read_as_document_and_as_markdown(
    worked: Incident, program_of: ProgramOf, commander: User
) -> None:
    program, path = program_of(commander), f"incidents/{worked.number}/postmortem"
    problem(program.get(path), 404, "not-found")
    assert [program.post(path).status_code for _ in range(2)] == [201, 200]
    text = Postmortem.objects.get().text
    answer = program.get(f"{path}.md")
    assert (answer["Content-Type"], answer.content.decode()) == ("text/markdown; charset=utf-8", text)
    whole = json(program.get(path))
    assert whole["markdown"] == text
    listed = json(program.get("postmortems", state="draft", overdue="false"))["items"]
    assert [{**one, **whole} for one in listed] == [{**whole, "title": worked.title, "severity": "SEV2"}]
    assert json(program.get("postmortems", overdue="true"))["items"] == []
    assert json(program.get("postmortems", drill="true"))["items"] == []


def test_the_overdue_ones_are_those_that_say_so(document: Postmortem, program_of: ProgramOf, commander: User) -> None:
    program, past = program_of(commander), timezone.now() - timedelta(days=1)

    def listed(overdue: str) -> list[bool]:
        return [one["overdue"] for one in json(program.get("postmortems", overdue=overdue))["items"]]

    Postmortem.objects.update(due_at=past)
    assert (listed("true"), listed("false")) == ([True], [])
    # Published once and edited since: nothing is owed any more.
    Postmortem.objects.update(published_at=past)
    assert (listed("true"), listed("false")) == ([], [False])


def test_two_programs_write_two_sections_at_once_and_lose_nothing(
    document: Postmortem, program_of: ProgramOf, commander: User, responder: User
) -> None:
    path = f"incidents/{document.incident.number}/postmortem/sections"
    first, second = program_of(commander), program_of(responder)
    mine, theirs = [one["key"] for one in json(first.get(path))["items"] if one["kind"] == "human"][:2]
    drafts.keep(document.incident.number, document.text + "typed", document.version, by=commander)
    body = {"version": document.version, "markdown": "The pool was full.\r\n\nIt was sized in 2021."}
    assert json(first.put(f"{path}/{mine}", body))["version"] == document.version + 1
    assert second.put(f"{path}/{theirs}", {**body, "markdown": "We were lucky."}).status_code == 200
    found = {one["key"]: one["markdown"] for one in json(first.get(path))["items"]}
    assert (found[mine], found[theirs]) == ("The pool was full.\n\nIt was sized in 2021.", "We were lucky.")
    refused = problem(second.put(f"{path}/{mine}", {**body, "markdown": "Other"}), 409, "changed")
    assert refused["version"] == document.version + 2
    assert first.put(f"{path}/{mine}", body).status_code == 200
    assert Draft.objects.get().text.endswith("typed")


def test_a_section_cannot_break_the_document(document: Postmortem, program_of: ProgramOf, commander: User) -> None:
    program, path = program_of(commander), f"incidents/{document.incident.number}/postmortem/sections"
    before = json(program.get(path))
    generated = next(one["key"] for one in before["items"] if one["kind"] == "generated")
    for hostile in ("<!-- nova:end impact -->", "x\n<!-- nova:human summary -->\n"):
        problem(program.put(f"{path}/{generated}", {"version": 1, "markdown": hostile}), 409, "refused")
    problem(program.put(f"{path}/no-such", {"version": 1, "markdown": ""}), 404, "not-found")
    problem(program.put(f"{path}/{generated}", {"version": 999, "markdown": "x"}), 409, "changed")
    after = json(program.put(f"{path}/{generated}", {"version": before["version"], "markdown": "---\n\\1 $&"}))
    assert [one["key"] for one in after["items"]] == [one["key"] for one in before["items"]]
    assert next(one for one in after["items"] if one["key"] == generated)["edited"]
    again = program.made(f"incidents/{document.incident.number}/postmortem/regenerate")
    assert (generated in again["kept"], "\\1 $&" in again["markdown"]) == (True, True)


def test_the_whole_text_is_saved_against_its_version(
    document: Postmortem, program_of: ProgramOf, commander: User
) -> None:
    program, path = program_of(commander), f"incidents/{document.incident.number}/postmortem"
    large = document.text + "ü" * 60_000
    saved = json(program.put(path, {"version": document.version, "markdown": large}))
    assert (saved["version"], saved["markdown"]) == (document.version + 1, large)
    assert problem(program.put(path, {"version": document.version, "markdown": "x"}), 409, "changed")["version"] == 2
    problem(program.put(path, {"version": 2, "markdown": "ü" * 105_000}), 409, "refused")
    problem(program.put(path, {"version": 2, "markdown": "x" * 700_000}), 413, "too-large")
    assert [one["version"] for one in pages(program, f"{path}/versions", limit=1)] == [2, 1]
    assert json(program.get(f"{path}/versions/1"))["markdown"] == document.text
    problem(program.get(f"{path}/versions/9"), 404, "not-found")


def test_it_is_reviewed_by_a_person_published_and_exported(
    document: Postmortem, program_of: ProgramOf, commander: User, responder: User, tmp_path: Path, settings: object
) -> None:
    settings.POSTMORTEM_ROOT = tmp_path  # type: ignore[attr-defined]
    program, path = program_of(commander), f"incidents/{document.incident.number}/postmortem"
    asked = {"version": document.version}
    lacks = problem(program.post(f"{path}/review", asked, Idempotency_Key="a"), 409, "refused")["reasons"]
    assert {"sentence", "mend"} == set(lacks[0])  # type: ignore[index]
    assert any(one["stops"] for one in json(program.get(f"{path}/findings")))
    assert program.made(f"{path}/review", {**asked, "anyway": True})["review"]["verdict"] == "waiting"
    problem(program.post(f"{path}/review/changes", {"comment": "Say more of it"}, Idempotency_Key="b"), 409, "refused")
    problem(program.post(f"{path}/review/approve", {}, Idempotency_Key="b"), 404, "not-found")
    changes = program_of(responder).made(f"{path}/review/changes", {"comment": "Say more of it"})
    assert (changes["state"], changes["review"]["verdict"]) == ("draft", "changes")
    program.made(f"{path}/review", {**asked, "anyway": True})
    reviews.decide(document.incident.number, "", approve=True, by=responder)
    assert program.made(f"{path}/publish", {**asked, "factor": "limit"})["published_version"] == document.version
    exported = program.made(f"{path}/export")
    assert (tmp_path / exported["path"]).read_text() == exported["markdown"]
    assert program.made(f"incidents/{document.incident.number}/steps/postmortem/complete")["state"] == "closed"


def test_what_is_not_there_yet_is_said(declare: Declare, program_of: ProgramOf, commander: User) -> None:
    declare(commander)
    program, path = program_of(commander), "incidents/1/postmortem"
    for missing in (path, f"{path}/sections", f"{path}/findings", f"{path}/versions", f"{path}/versions/1"):
        problem(program.get(missing), 404, "not-found")
    problem(program.put(path, {"version": 1, "markdown": ""}), 404, "not-found")
    for missing, body in (("regenerate", None), ("export", None), ("publish", {"version": 1, "factor": "limit"})):
        problem(program.post(f"{path}/{missing}", body, Idempotency_Key="a"), 404, "not-found")


def test_what_incidents_teach_is_told(document: Postmortem, program_of: ProgramOf, viewer: User) -> None:
    program = program_of(viewer, "read")
    answer = program.get("learning", span="30")
    told = loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    assert {one["incident"] for one in told["measures"]} == {document.incident.number}
    assert problem(program.get("learning", environment="moon"), 422, "invalid")["field"] == "environment"
    assert problem(program.get("learning", span="7"), 422, "invalid")["field"] == "span"
