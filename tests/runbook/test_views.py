"""The pages from a button to a run: who may, by which method, as a page or a part of one, never with an error."""

import time
import uuid
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from novaops.access import sudo
from novaops.runbook import planning
from novaops.runbook.action import Risk
from novaops.runbook.models import Approval, Freeze, Plan, Run
from novaops.runbook.states import RunStatus
from tests.runbook.bell import Bell, Ring
from tests.runbook.conftest import carry_on

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
PlanOf = Callable[..., Plan]
RunOf = Callable[..., Run]
HTMX = {"HX-Request": "true"}
ASK = {"environment": "sandbox", "target": "nova-api"}
NOBODY = uuid.UUID(int=0)
READ = ["/actions/", "/actions/ring/new", "/runs/", "/approvals/", "/controls/", "/audit/"]
WRITE = [
    "/actions/ring/plans",
    f"/plans/{NOBODY}/runs",
    "/runs/1/cancel",
    "/runs/1/check",
    "/runs/1/decision",
    "/approvals/1/approve",
    "/approvals/1/refuse",
    "/controls/freeze",
    "/controls/lift",
    "/controls/undo/1",
    "/controls/keep/1",
]


def text(answer: HttpResponse) -> str:
    return answer.content.decode()


def stepped_up(client: Client) -> Client:
    """The client's user has just proven who they are."""
    session = client.session
    session[sudo.KEY] = time.time()
    session.save()
    return client


@pytest.fixture
def _destructive(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ring, "risk", Risk.DESTRUCTIVE)


@pytest.fixture
def waiting(_destructive: None, run_of: RunOf, responder: User) -> Approval:
    """A destructive run that waits for a second person."""
    return run_of(responder).approval


@pytest.fixture
def unknown(bell: Bell, run_of: RunOf, responder: User) -> Run:
    """A run whose call was sent and never answered."""
    bell.troubles, bell.visible = ["answer-lost"], False
    run = carry_on(run_of(responder))
    assert run.status == RunStatus.UNKNOWN
    return run


@pytest.mark.parametrize("path", READ)
def test_a_page_is_read_by_everybody_signed_in_and_only_read(
    bell: Bell, client_of: ClientOf, viewer: User, path: str
) -> None:
    assert client_of(viewer).get(path).status_code == 200
    assert client_of(viewer).post(path).status_code == 405
    assert Client().get(path).status_code == 302


@pytest.mark.parametrize("path", WRITE)
def test_what_changes_something_is_never_a_get_and_never_anonymous(
    bell: Bell, client_of: ClientOf, commander: User, path: str
) -> None:
    assert client_of(commander).get(path).status_code == 405
    assert Client().post(path).status_code == 302


@pytest.mark.parametrize("path", WRITE)
def test_without_the_token_of_the_page_nothing_is_taken(client_of: ClientOf, commander: User, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(commander)
    assert client.post(path, ASK).status_code == 403


def test_the_catalogue_names_every_action_and_why_one_cannot_be_run(
    bell: Bell, client_of: ClientOf, viewer: User, responder: User
) -> None:
    assert "Your role may not run disruptive actions" in text(client_of(viewer).get("/actions/"))
    page = text(client_of(responder).get("/actions/"))
    assert "Your role may not" not in page
    assert 'data-plan="/actions/restart-api/plans"' in page
    assert 'data-plan="/actions/ring/plans"' not in page


def test_the_form_is_a_page_or_a_part(bell: Bell, client_of: ClientOf, responder: User) -> None:
    client = client_of(responder)
    assert "<html" in text(client.get("/actions/ring/new"))
    part = client.get("/actions/ring/new", {**ASK, "incident": "7"}, headers=HTMX)
    assert "<html" not in text(part)
    assert "INC-7" in text(part)
    assert "HX-Request" in part["Vary"]


def test_asking_for_a_plan_leads_to_its_preview(bell: Bell, client_of: ClientOf, responder: User) -> None:
    answer = client_of(responder).post("/actions/ring/plans", {**ASK, "times": "3", "incident": "7"})
    plan = Plan.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/plans/{plan.pk}/")
    assert (plan.params, plan.incident, plan.requested_by) == ({"times": 3}, 7, responder)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"times": "99"}, "less than or equal to 9"),
        ({"target": "nova-db"}, "is not declared"),
        ({"environment": "moon"}, "There is no environment"),
        ({"incident": "0"}, "greater than or equal to 1"),
        ({"incident": "9" * 30}, "less than or equal to"),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_wrong_form_comes_back_with_the_rule_and_what_was_typed(
    bell: Bell, client_of: ClientOf, responder: User, wrong: dict[str, str], sentence: str, headers: dict[str, str]
) -> None:
    answer = client_of(responder).post("/actions/ring/plans", {**ASK, "times": "5", **wrong}, headers=headers)
    assert answer.status_code == 200
    assert sentence in text(answer)
    assert f'value="{wrong.get("times", "5")}"' in text(answer)
    assert ("<html" in text(answer)) == (not headers)
    assert not Plan.objects.exists()


def test_a_poll_gets_nothing_while_a_worker_looks_and_then_the_plan(
    bell: Bell, client_of: ClientOf, responder: User
) -> None:
    client = client_of(responder)
    client.post("/actions/ring/plans", ASK)
    plan = Plan.objects.get()
    assert "Looking at nova-api" in text(client.get(f"/plans/{plan.pk}/", headers=HTMX))
    assert client.get(f"/plans/{plan.pk}/?rev=", headers=HTMX).status_code == 204
    planning.resolve(plan)
    part = text(client.get(f"/plans/{plan.pk}/?rev=", headers=HTMX))
    assert "tower ring-bell" in part
    assert "hx-get" not in part


def test_a_plan_that_could_not_be_made_offers_to_try_again(
    bell: Bell, client_of: ClientOf, responder: User, plan_of: PlanOf
) -> None:
    bell.blind = True
    part = text(client_of(responder).get(plan_of(responder).get_absolute_url(), headers=HTMX))
    assert "The tower cannot be seen" in part
    assert 'data-drawer="Ring the bell' in part


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_confirming_twice_is_one_run(
    bell: Bell, client_of: ClientOf, responder: User, plan_of: PlanOf, headers: dict[str, str]
) -> None:
    plan, client = plan_of(responder), client_of(responder)
    sent = [client.post(f"/plans/{plan.pk}/runs", {"reason": "to be heard"}, headers=headers) for _ in range(2)]
    run = Run.objects.get()
    assert [(one.status_code, one["Location"]) for one in sent] == [(302, f"/runs/{run.pk}/")] * 2
    assert ("<html" in text(client.get(f"/runs/{run.pk}/", headers=headers))) == (not headers)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_confirmation_without_a_reason_is_refused_in_place(
    bell: Bell, client_of: ClientOf, responder: User, plan_of: PlanOf, headers: dict[str, str]
) -> None:
    answer = client_of(responder).post(f"/plans/{plan_of(responder).pk}/runs", headers=headers)
    assert (answer.status_code, "This field is required" in text(answer)) == (422, True)
    assert ("<html" in text(answer)) == (not headers)


def test_a_viewer_confirms_nothing_and_reads_why(
    bell: Bell, client_of: ClientOf, viewer: User, plan_of: PlanOf
) -> None:
    answer = client_of(viewer).post(f"/plans/{plan_of(viewer).pk}/runs", {"reason": "curious"})
    assert (answer.status_code, "Your role may not run" in text(answer)) == (409, True)
    assert not Run.objects.exists()


def test_a_busy_target_names_the_run_in_the_way_and_keeps_the_reason(
    bell: Bell, client_of: ClientOf, responder: User, plan_of: PlanOf, run_of: RunOf
) -> None:
    first = run_of(responder)
    answer = client_of(responder).post(f"/plans/{plan_of(responder).pk}/runs", {"reason": "me too"}, headers=HTMX)
    assert answer.status_code == 409
    assert f"/runs/{first.pk}/" in text(answer)
    assert 'value="me too"' in text(answer)


@pytest.mark.usefixtures("_destructive")
def test_what_destroys_is_shown_to_whom_has_proven_who_they_are(
    client_of: ClientOf, responder: User, plan_of: PlanOf
) -> None:
    plan, client = plan_of(responder), client_of(responder)
    there = f"/sudo/?next=%2Fplans%2F{plan.pk}%2F"
    page, part = client.get(f"/plans/{plan.pk}/"), client.get(f"/plans/{plan.pk}/", headers=HTMX)
    assert (page.status_code, page["Location"]) == (302, there)
    assert (part.status_code, part["HX-Redirect"]) == (200, there)
    assert "tower ring-bell" in text(stepped_up(client).get(f"/plans/{plan.pk}/"))


@pytest.mark.usefixtures("_destructive")
def test_a_proof_that_grew_old_stops_the_run_and_keeps_what_was_typed(
    client_of: ClientOf, responder: User, plan_of: PlanOf
) -> None:
    plan = plan_of(responder)
    typed = {"reason": "it must go", "typed_target": "nova-api"}
    answer = client_of(responder).post(f"/plans/{plan.pk}/runs", typed, headers=HTMX)
    assert (answer.status_code, Run.objects.exists()) == (422, False)
    assert "Prove that it is you" in text(answer)
    assert 'value="it must go"' in text(answer)


@pytest.mark.usefixtures("_destructive")
def test_what_destroys_wants_the_name_typed(client_of: ClientOf, responder: User, plan_of: PlanOf) -> None:
    plan, client = plan_of(responder), stepped_up(client_of(responder))
    wrong = client.post(f"/plans/{plan.pk}/runs", {"reason": "it must go", "typed_target": "nova-ap"})
    assert (wrong.status_code, "This is not nova-api" in text(wrong)) == (422, True)
    right = client.post(f"/plans/{plan.pk}/runs", {"reason": "it must go", "typed_target": "nova-api"})
    assert (right.status_code, Run.objects.get().status) == (302, RunStatus.AWAITING_APPROVAL)


def test_a_run_is_polled_until_it_is_over(bell: Bell, client_of: ClientOf, responder: User, run_of: RunOf) -> None:
    run, client = run_of(responder), client_of(responder)
    first = text(client.get(f"/runs/{run.pk}/", headers=HTMX))
    assert "data-poll" in first
    assert 'aria-current="step">3 Progress' in first
    carry_on(run)
    last = client.get(f"/runs/{run.pk}/?rev=none", headers=HTMX)
    assert (last.status_code, "data-poll" in text(last)) == (286, False)
    assert client.get(f"/runs/{run.pk}/").status_code == 200


def test_a_run_is_called_off_once(bell: Bell, client_of: ClientOf, responder: User, run_of: RunOf) -> None:
    run, client = run_of(responder), client_of(responder)
    assert client.post(f"/runs/{run.pk}/cancel")["Location"] == f"/runs/{run.pk}/"
    assert carry_on(run).status == RunStatus.CANCELED
    again = client.post(f"/runs/{run.pk}/cancel", headers=HTMX)
    assert (again.status_code, "nothing is left to cancel" in text(again)) == (409, True)
    assert "<html" not in text(again)


def test_a_viewer_calls_nothing_off(
    bell: Bell, client_of: ClientOf, viewer: User, responder: User, run_of: RunOf
) -> None:
    run = run_of(responder)
    assert client_of(viewer).post(f"/runs/{run.pk}/cancel").status_code == 403
    run.refresh_from_db()
    assert not run.cancel_requested


def test_only_a_commander_decides_an_unknown_outcome_and_says_how_they_know(
    unknown: Run, client_of: ClientOf, responder: User, commander: User
) -> None:
    path = f"/runs/{unknown.pk}/decision"
    assert client_of(responder).post(path, {"happened": "yes", "reason": "I think so"}).status_code == 403
    silent = client_of(commander).post(path, {"happened": "yes", "reason": " "})
    assert (silent.status_code, "Say what you saw" in text(silent)) == (409, True)
    assert client_of(commander).post(path, {"happened": "yes", "reason": "I heard it"}).status_code == 302
    unknown.refresh_from_db()
    assert unknown.status == RunStatus.SUCCEEDED
    assert client_of(commander).post(path, {"happened": "no", "reason": "or not"}).status_code == 409


def test_checking_looks_again_and_sends_nothing(
    unknown: Run, bell: Bell, client_of: ClientOf, responder: User, commander: User
) -> None:
    assert client_of(responder).post(f"/runs/{unknown.pk}/check").status_code == 403
    assert client_of(commander).post(f"/runs/{unknown.pk}/check").status_code == 302
    bell.visible = True
    assert carry_on(unknown).status == RunStatus.SUCCEEDED
    assert bell.rung == [unknown.pk]


def test_an_approver_proves_who_they_are_before_they_consent(
    waiting: Approval, client_of: ClientOf, commander: User
) -> None:
    client, path = client_of(commander), f"/approvals/{waiting.pk}/approve"
    assert client.post(path)["Location"].startswith("/sudo/")
    waiting.refresh_from_db()
    assert waiting.state == Approval.State.PENDING
    assert stepped_up(client).post(path)["Location"] == f"/runs/{waiting.run.pk}/"
    assert client.post(path).status_code == 409


def test_a_responder_neither_approves_nor_refuses(
    waiting: Approval, client_of: ClientOf, responder: User, commander: User
) -> None:
    client = stepped_up(client_of(responder))
    assert [client.post(f"/approvals/{waiting.pk}/{what}").status_code for what in ("approve", "refuse")] == [403, 403]
    assert "Ring the bell" in text(client_of(commander).get("/approvals/"))
    assert "Your own request" in text(client.get(f"/approvals/{waiting.pk}/"))


def test_a_refusal_needs_a_reason(waiting: Approval, client_of: ClientOf, commander: User) -> None:
    client, path = client_of(commander), f"/approvals/{waiting.pk}/refuse"
    assert client.post(path, {"reason": ""}).status_code == 409
    assert client.post(path, {"reason": "Not before the backup"}).status_code == 302


def test_the_stop_switch_is_a_commanders(client_of: ClientOf, responder: User, commander: User) -> None:
    assert client_of(responder).post("/controls/freeze", {"reason": "I am afraid"}).status_code == 403
    client = client_of(commander)
    assert client.post("/controls/freeze", {"reason": ""}).status_code == 409
    assert client.post("/controls/freeze", {"reason": "We do not understand this"}).status_code == 302
    assert "Frozen by commander" in text(client.get("/controls/"))
    assert client.post("/controls/freeze", {"reason": "again"}).status_code == 409
    assert client.post("/controls/lift").status_code == 302
    assert Freeze.objects.filter(lifted_at=None).count() == 0


HOSTILE = [
    "/actions/nothing/new",
    "/actions/ring/new?environment=moon",
    "/actions/ring/new?environment=%00",
    "/actions/ring/new?target=%00&incident=%00",
    "/actions/..%2f..%2fetc/new",
    f"/plans/{NOBODY}/",
    "/plans/1/",
    "/runs/99999999999999999999999/",
    "/runs/0/",
    "/runs/?incident=99999999999999999999",
    "/runs/?incident=1e3",
    "/runs/?incident=%D9%A3",
    "/runs/?action=%00",
    "/runs/?target=%00",
    "/runs/?status=%27%20or%201=1",
    "/runs/?page=-1",
    "/runs/?page=zzz",
    "/approvals/99999999999999999999999/",
    "/controls/?environment=%00",
    "/audit/?actor=%00",
    "/audit/?page=-1",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_address_is_at_most_not_found(bell: Bell, client_of: ClientOf, commander: User, path: str) -> None:
    client = client_of(commander)
    assert {client.get(path, headers=headers).status_code for headers in ({}, HTMX)} <= {200, 400, 404}


@pytest.mark.parametrize("reason", ["\x00", "x" * 100_000, "\u202e<script>", "%s{}"])
def test_a_hostile_reason_is_kept_as_text_or_refused(
    unknown: Run, plan_of: PlanOf, client_of: ClientOf, responder: User, commander: User, reason: str
) -> None:
    client = client_of(commander)
    asked = [
        client.post(f"/plans/{plan_of(responder).pk}/runs", {"reason": reason}),
        client.post(f"/runs/{unknown.pk}/decision", {"reason": reason}),
        client.post("/controls/freeze", {"reason": reason}),
    ]
    assert {one.status_code for one in asked} <= {302, 400, 409, 422}
    assert "<script>\n" not in text(client.get(f"/runs/{unknown.pk}/"))
