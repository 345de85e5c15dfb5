"""The checklist, the roles and the messages of an incident by a program."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from incidents.models import Incident, TimelineEntry
from novaops.audit.models import Entry
from novaops.outbox.models import Message
from tests.api.conftest import Program
from tests.api.test_access import problem
from tests.api.test_incidents import json, pages, wrong
from tests.incidents.conftest import clear, declare, make_alert, make_run, place, worked

__all__ = ["clear", "declare", "make_alert", "make_run", "place", "worked"]
pytestmark = pytest.mark.django_db
ProgramOf = Callable[..., Program]
Declare = Callable[..., Incident]
WHY = {"reason": "A rehearsal of this part"}


@pytest.mark.usefixtures("place")
def test_the_whole_path_from_declaring_to_the_post_mortem(program_of: ProgramOf, commander: User) -> None:
    program = program_of(commander)
    number = program.made("incidents", wrong())["number"]
    path = f"incidents/{number}"
    program.made(f"{path}/steps/assess/complete")
    lacks = problem(program.post(f"{path}/steps/communicate/complete", Idempotency_Key="a"), 409, "refused")
    assert "Nobody commands the incident." in str(lacks["reasons"])
    assert program.made(f"{path}/roles", {"role": "commander"})["commander"] == "commander"
    for channel in ("slack", "status-page"):
        program.made(f"{path}/messages/recorded", {"channel": channel, "text": "We look", "url": "https://x.example/1"})
    program.made(f"{path}/steps/communicate/complete")
    program.made(f"{path}/no-action", {"why": "It went away by itself"})
    program.made(f"{path}/steps/mitigate/complete")
    resolved = [program.post(f"{path}/steps/resolve/complete", Idempotency_Key="r") for _ in range(2)]
    assert [json(answer)["state"] for answer in resolved] == ["resolved", "resolved"]
    assert {step["key"]: step["missing"] for step in json(program.get(f"{path}/steps"))}["postmortem"]
    assert program.made(f"{path}/postmortem")["state"] == "draft"
    assert set(Entry.objects.filter(incident=number).values_list("via", flat=True)) == {f"api:{program.token_id}"}


def test_steps_tell_their_parts_and_what_they_lack(declare: Declare, program_of: ProgramOf, responder: User) -> None:
    declare(responder)
    program = program_of(responder)
    steps = {step["key"]: step for step in json(program.get("incidents/1/steps"))}
    assert list(steps) == ["detect", "assess", "communicate", "mitigate", "resolve", "postmortem"]
    assert [step["current"] for step in steps.values()] == [False, True, False, False, False, False]
    assert steps["mitigate"]["missing"][0]["mend"] == "Run an action, or note why none was needed."
    item = steps["assess"]["items"][0]
    ticked = [json(program.put(f"incidents/1/items/{item['id']}", {"done": True})) for _ in range(2)]
    assert (ticked[0]["done_by"], ticked[0]) == ("responder", ticked[1])
    assert json(program.put(f"incidents/1/items/{item['id']}", {"done": False})) == item
    problem(program.put("incidents/1/items/99999", {"done": True}), 404, "not-found")


def test_a_step_is_owned_skipped_overridden_and_reopened(
    declare: Declare, program_of: ProgramOf, commander: User
) -> None:
    declare(commander)
    program = program_of(commander)

    def step(body: Any, key: str) -> tuple[str, str | None, str]:
        found = next(one for one in body["steps"] if one["key"] == key)
        return found["state"], found["owner"], found["reason"]

    owned = json(program.put("incidents/1/steps/assess/owner", {"owner": "commander"}))
    assert step(owned, "assess") == ("open", "commander", "")
    assert step(program.made("incidents/1/steps/assess/skip", WHY), "assess") == ("skipped", "commander", WHY["reason"])
    overridden = program.made("incidents/1/steps/communicate/override", WHY)
    assert step(overridden, "communicate")[0] == "overridden"
    assert step(program.made("incidents/1/steps/assess/reopen", WHY), "assess") == ("open", "commander", "")
    program.made("incidents/1/steps/resolve/override", WHY)
    assert program.made("incidents/1/steps/resolve/reopen", WHY)["state"] == "open"
    problem(program.post("incidents/1/steps/resolve/skip", WHY, Idempotency_Key="a"), 409, "refused")
    problem(program.post("incidents/1/steps/assess/skip", {"reason": "no"}, Idempotency_Key="a"), 422, "invalid")
    assert problem(program.put("incidents/1/steps/assess/owner", {"owner": "x"}), 422, "invalid")["field"] == "owner"


def test_what_commands_needs_the_scope_and_the_role(
    declare: Declare, program_of: ProgramOf, commander: User, responder: User
) -> None:
    declare(responder)
    asked: list[tuple[str, Any]] = [
        *((f"steps/{name}", WHY) for name in ("assess/skip", "assess/override", "detect/reopen")),
        ("steps/resolve/complete", None),
        ("severity", {"version": 1, "severity": "SEV1"}),
        ("merge", {"into": 2, **WHY}),
        ("roles", {"role": "scribe"}),
        ("roles", {"role": "responder", "user": "grace"}),
    ]
    for program in (program_of(commander, "read", "write:incidents"), program_of(responder)):
        for path, body in asked:
            problem(program.post(f"incidents/1/{path}", body, Idempotency_Key="a"), 403, "not-permitted")
    held = program_of(responder, "write:incidents").made("incidents/1/roles", {"role": "responder"})["roles"]
    other = program_of(commander, "read", "write:incidents")
    problem(other.post(f"incidents/1/roles/{held[0]['id']}/end"), 403, "not-permitted")


def test_nothing_is_written_with_a_token_that_reads(
    declare: Declare, program_of: ProgramOf, commander: User, viewer: User
) -> None:
    declare(commander)
    paper = {"version": 1, "markdown": "x"}
    asked: list[tuple[str, str, Any]] = [
        ("patch", "", {"version": 1, "impact": "x"}),
        ("patch", "/timeline/1", {"pinned": True}),
        ("put", "/steps/assess/owner", {"owner": None}),
        ("put", "/items/1", {"done": True}),
        ("put", "/pagerduty", {"name": "Q1"}),
        ("put", "/postmortem", paper),
        ("put", "/postmortem/sections/summary-story", paper),
        ("post", "/notes", {"text": "x"}),
        ("post", "/moments", {"version": 1, "name": "started", "at": "2026-01-01T00:00:00Z", "reason": "x"}),
        ("post", "/additions", {"title": "x", "services": ["api"]}),
        ("post", "/steps/assess/complete", None),
        ("post", "/no-action", {"why": "It went away"}),
        ("post", "/roles", {"role": "responder"}),
        ("post", "/roles/1/end", None),
        ("post", "/messages", {"slack": "x"}),
        ("post", "/messages/recorded", {"channel": "slack", "text": "x"}),
        ("post", "/messages/1/again", None),
        ("post", "/updates", {"text": "x"}),
        ("post", "/follow-ups", {"title": "x", "kind": "prevent"}),
        *(("post", f"/postmortem{rest}", None) for rest in ("", "/regenerate", "/export")),
        ("post", "/postmortem/review", {"version": 1}),
        ("post", "/postmortem/review/changes", {"comment": "Say more of it"}),
        ("post", "/postmortem/publish", {"version": 1, "factor": "limit"}),
    ]
    before = TimelineEntry.objects.count()
    for program in (program_of(commander, "read", "command:incidents"), program_of(viewer)):
        for at, (method, path, body) in enumerate(asked):
            send = {"post": program.post, "put": program.put, "patch": program.patch}[method]
            more = {"Idempotency_Key": str(at)} if method == "post" else {}
            problem(send(f"incidents/1{path}", body, **more), 403, "not-permitted")
    assert (TimelineEntry.objects.count(), Incident.objects.get().version) == (before, 1)


def test_command_is_handed_over_with_a_summary(
    declare: Declare, program_of: ProgramOf, commander: User, django_user_model: type[User]
) -> None:
    declare(commander)
    other = django_user_model.objects.create_user("grace")
    other.groups.set(commander.groups.all())
    program = program_of(commander)
    body = program.made("incidents/1/roles", {"role": "commander", "user": "grace", "note": "Redis is next"})
    assert (body["commander"], "Commander: grace" in body["summary"]) == ("grace", True)
    handed = next(iter(pages(program, "incidents/1/timeline", kind="note")))
    assert handed["text"].startswith("Handed over to grace:\nRedis is next\n")
    held = program.made("incidents/1/roles", {"role": "scribe"})["roles"][0]
    ended = [json(program.post(f"incidents/1/roles/{held['id']}/end")) for _ in range(2)]
    assert ended[0]["roles"][0]["until"] == ended[1]["roles"][0]["until"] != None  # noqa: E711
    problem(program.post("incidents/1/roles/99999/end"), 404, "not-found")


def test_messages_are_drafted_previewed_and_queued_once(
    declare: Declare, program_of: ProgramOf, responder: User
) -> None:
    declare(responder)
    program = program_of(responder)
    draft = json(program.get("incidents/1/draft"))
    assert ("INC-1" in draft["slack"], draft["page_status"], draft["closing"]) == (True, "investigating", [])
    said = {"slack": draft["slack"], **{name: draft[name] for name in ("page", "page_name", "page_status")}}
    planned = json(program.post("incidents/1/messages/preview", said))
    assert [(one["system"], one["operation"]) for one in planned] == [("slack", "post"), ("statuspage", "create")]
    assert not Message.objects.exists()
    queued = [program.post("incidents/1/messages", said, Idempotency_Key="a") for _ in range(2)]
    assert [answer.status_code for answer in queued] == [201, 200]
    assert [one["payload"] for one in json(queued[1])["items"]] == [one["payload"] for one in planned[::-1]]
    assert Message.objects.count() == 2
    last = json(queued[0])["items"][0]["id"]
    assert json(program.post(f"incidents/1/messages/{last}/withdraw"))["state"] == "failed"
    problem(program.post(f"incidents/1/messages/{last}/check"), 409, "refused")
    assert [one["id"] for one in pages(program, "incidents/1/messages", limit=1, state="queued")] == [last - 1]
    problem(program.post("incidents/1/messages/99999/check"), 404, "not-found")
    problem(program.post("incidents/1/messages", {}, Idempotency_Key="b"), 409, "refused")


def test_an_update_starts_the_promise_anew(declare: Declare, program_of: ProgramOf, responder: User) -> None:
    declare(responder)
    program = program_of(responder)
    program.made("incidents/1/updates", {"text": "Still on it"})
    assert Message.objects.get().text == "Still on it"
    recorded = {"channel": "other", "text": "Told support", "url": "https://x.example/1"}
    assert program.made("incidents/1/messages/recorded", recorded)["told_at"]
    assert json(program.put("incidents/1/pagerduty", {"name": "Q1K2V3"}))["number"] == 1
    assert json(program.get("incidents/1/draft"))["pagerduty"] == ["Q1K2V3"]
    for field, body in (("url", {**recorded, "url": "javascript:1"}), ("channel", {**recorded, "channel": "update"})):
        answer = program.post("incidents/1/messages/recorded", body, Idempotency_Key="b")
        assert problem(answer, 422, "invalid")["field"] == field


@pytest.mark.parametrize("text", ["\ud800", "a\0b", " \n", "x" * 4001])
def test_a_text_that_cannot_be_kept_is_refused(
    declare: Declare, program_of: ProgramOf, commander: User, text: str
) -> None:
    declare(commander)
    program = program_of(commander)
    for path, name in (("notes", "text"), ("no-action", "why"), ("steps/assess/skip", "reason"), ("updates", "text")):
        problem(program.post(f"incidents/1/{path}", {name: text}, Idempotency_Key="a"), 422, "invalid")
