"""Plans and runs by a program: the same rules as on the pages, once and only once."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from novaops import environment as environments
from novaops.audit.models import Entry
from novaops.runbook import intake
from novaops.runbook.action import Risk
from novaops.runbook.models import Plan, Run
from novaops.runbook.states import RunStatus
from tests.api.conftest import Program, ring, wanted
from tests.api.test_access import problem
from tests.runbook.bell import Bell, Ring
from tests.runbook.conftest import carry_on

ProgramOf = Callable[..., Program]
RunOf = Callable[..., Run]


@pytest.mark.usefixtures("worker")
def test_a_plan_tells_the_very_calls(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    program = program_of(responder)
    answer = program.post("plans", wanted(params={"times": 3}))
    assert answer.status_code == 200, answer.content
    plan = answer.json()  # type: ignore[attr-defined]
    assert (plan["state"], plan["runnable"]) == ("ready", True)
    assert plan["steps"][0]["command_line"] == "tower ring-bell"
    assert plan["steps"][0]["params"] == {"bell": "nova-api", "times": 3}
    assert program.client.get(answer["Location"]).json() == plan
    assert bell.rung == []


@pytest.mark.usefixtures("worker")
def test_a_plan_that_cannot_be_made_is_a_conflict(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    bell.blind = True
    program = program_of(responder)
    assert "cannot be seen" in str(problem(program.post("plans", wanted()), 409, "plan-failed")["detail"])
    problem(program.post("runs", ring(), Idempotency_Key="a"), 409, "plan-failed")


@pytest.mark.django_db
def test_without_a_worker_a_plan_is_told_later_and_a_run_is_not_started(
    bell: Bell, program_of: ProgramOf, responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "RESOLVE_WITHIN_S", 0.0)
    program = program_of(responder)
    answer = program.post("plans", wanted())
    assert (answer.status_code, answer.json()["state"]) == (202, "resolving")  # type: ignore[attr-defined]
    assert program.client.get(answer["Location"]).json()["state"] == "resolving"
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as broker:
        rung = [json.loads(message)["headers"]["task"] for message in broker.lrange("runs", 0, -1)]
    assert rung == ["novaops.runbook.tasks.resolve_plan"]
    refused = program.post("runs", ring(), Idempotency_Key="a")
    problem(refused, 503, "plan-not-resolved")
    assert refused["Retry-After"] == "5"
    assert not Run.objects.exists()


@pytest.mark.usefixtures("worker")
def test_a_run_is_made_and_told_by_its_token(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    program = program_of(responder)
    digest = program.post("plans", wanted()).json()["digest"]  # type: ignore[attr-defined]
    answer = program.post("runs", ring(plan_digest=digest, incident=7), Idempotency_Key="deploy-1")
    assert answer.status_code == 201, answer.content
    run = Run.objects.get()
    carry_on(run)
    told = program.client.get(answer["Location"]).json()
    assert (told["id"], told["status"], told["finished"], told["outcome"]) == (run.pk, "succeeded", True, "Peace")
    assert [step["key"] for step in told["steps"]] == ["ring", "quiet", "peace"]
    assert [call["outcome"] for call in told["steps"][0]["calls"]] == ["ok"]
    entry = Entry.objects.get(verb="run.requested")
    assert (entry.actor, entry.via, entry.incident) == ("responder", f"api:{program.token_id}", 7)


@pytest.mark.usefixtures("worker")
def test_the_same_key_answers_with_the_first_run(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    program, other = program_of(responder), program_of(responder)
    first = program.post("runs", ring(), Idempotency_Key="a")
    again = program.post("runs", ring(), Idempotency_Key="a")
    assert (first.status_code, again.status_code, first["Location"]) == (201, 200, again["Location"])
    for body in (ring(reason="another"), ring(params={"times": 2}), ring(incident=3), ring(plan_digest="0" * 64)):
        assert problem(program.post("runs", body, Idempotency_Key="a"), 422, "key-reused")["field"] == "Idempotency-Key"
    busy = problem(other.post("runs", ring(), Idempotency_Key="a"), 409, "target-busy")
    assert busy["run"] == Run.objects.get().pk


@pytest.mark.usefixtures("worker")
def test_a_plan_that_changed_starts_nothing(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    problem(program_of(responder).post("runs", ring(plan_digest="0" * 64), Idempotency_Key="a"), 409, "plan-changed")
    assert not Run.objects.exists()


@pytest.mark.usefixtures("worker")
def test_a_failed_precheck_is_the_reason(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    bell.open = False
    program = program_of(responder)
    assert not program.post("plans", wanted()).json()["runnable"]  # type: ignore[attr-defined]
    body = problem(program.post("runs", ring(), Idempotency_Key="a"), 409, "precheck-failed")
    assert "The tower is closed" in str(body["detail"])


@pytest.mark.usefixtures("worker")
def test_what_destroys_waits_for_a_person(
    bell: Bell, program_of: ProgramOf, commander: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ring, "risk", Risk.DESTRUCTIVE)
    answer = program_of(commander).post("runs", ring(), Idempotency_Key="a")
    assert (answer.status_code, answer.json()["status"]) == (201, "awaiting_approval")  # type: ignore[attr-defined]
    assert carry_on(Run.objects.get()).status == RunStatus.AWAITING_APPROVAL
    assert bell.rung == []


@pytest.mark.django_db
def test_what_destroys_is_never_started_by_a_token_alone(
    bell: Bell, program_of: ProgramOf, commander: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ring, "risk", Risk.DESTRUCTIVE)
    trusting = environments.default().model_copy(update={"needs_approval": False})
    monkeypatch.setitem(environments.environments(), trusting.name, trusting)
    program = program_of(commander)
    body = problem(program.post("runs", ring(), Idempotency_Key="a"), 403, "not-permitted")
    assert "a person starts this on the page" in str(body["detail"])
    told = {one["key"]: one for one in program.get("actions").json()}  # type: ignore[attr-defined]
    assert (told["ring"]["allowed"], told["ring"]["refusal"]) == (False, body["detail"])
    assert not Run.objects.exists()


@pytest.mark.usefixtures("worker")
def test_concurrent_identical_requests_make_one_run(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    program, gate = program_of(responder), threading.Barrier(10)

    def ask(_: int) -> tuple[int, str]:
        gate.wait()
        try:
            answer = Program(program.text).post("runs", ring(), Idempotency_Key="a")
            return answer.status_code, answer["Location"]
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(ask, range(10)))
    where = f"/api/v1/runs/{Run.objects.get().pk}"
    assert answers == [*[(200, where)] * 9, (201, where)]
    assert Entry.objects.filter(verb="run.requested").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"params": {"times": 10}}, "params.times"),
        ({"params": {"times": "3"}}, "params.times"),
        ({"params": {"times": True}}, "params.times"),
        ({"params": {"colour": "red"}}, "params.colour"),
        ({"target": "nova-other"}, "target"),
        ({"environment": "moon"}, "environment"),
        ({"action": "sing"}, "action"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"incident": "7"}, "incident"),
        ({"incident": 0}, "incident"),
        ({"plan_digest": "abc"}, "plan_digest"),
        ({"dry_run": True}, "dry_run"),
        ({"target": 5}, "target"),
    ],
)
def test_a_wrong_parameter_is_told_with_its_rule(
    bell: Bell, program_of: ProgramOf, responder: User, changes: dict[str, object], field: str
) -> None:
    body = problem(program_of(responder).post("runs", ring(**changes), Idempotency_Key="a"), 422, "invalid")
    assert str(body["field"]).startswith(field)
    assert body["errors"][0]["rule"]  # type: ignore[index]
    assert not Plan.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "a b"}, {"Idempotency_Key": "a" * 65}])
def test_a_run_needs_a_key(bell: Bell, program_of: ProgramOf, responder: User, headers: dict[str, str]) -> None:
    body = problem(program_of(responder).post("runs", ring(), **headers), 422, "invalid")
    assert body["field"] == "Idempotency-Key"


@pytest.mark.django_db
def test_a_run_is_canceled_once_and_by_whom_it_says(
    bell: Bell, program_of: ProgramOf, run_of: RunOf, responder: User
) -> None:
    run, program = run_of(responder), program_of(responder, "run:disruptive")
    answer = program.post(f"runs/{run.pk}/cancel")
    assert (answer.status_code, answer.json()["cancel_requested"]) == (200, True)  # type: ignore[attr-defined]
    assert carry_on(run).status == RunStatus.CANCELED
    assert problem(program.post(f"runs/{run.pk}/cancel"), 409, "too-late")["run"] == run.pk
    assert Entry.objects.get(verb="run.cancel-requested").via == f"api:{program.token_id}"
    problem(program_of(responder, "read", "run:safe").post(f"runs/{run.pk}/cancel"), 403, "not-permitted")


@pytest.mark.django_db
def test_runs_and_entries_come_page_by_page(bell: Bell, program_of: ProgramOf, run_of: RunOf, responder: User) -> None:
    made = [carry_on(run_of(responder, idempotency_key=str(number))).pk for number in range(3)]
    program = program_of(responder)
    first = program.get("runs", limit=2).json()  # type: ignore[attr-defined]
    second = program.get("runs", limit=2, cursor=first["next_cursor"]).json()  # type: ignore[attr-defined]
    assert [run["id"] for page in (first, second) for run in page["items"]] == made[::-1]
    assert second["next_cursor"] is None
    assert program.get("runs", status="failed").json()["items"] == []  # type: ignore[attr-defined]
    assert len(program.get("runs", action="ring", target="nova-api").json()["items"]) == 3  # type: ignore[attr-defined]
    entries = program.get("audit", run=made[0], limit=1).json()  # type: ignore[attr-defined]
    assert (entries["items"][0]["verb"], entries["items"][0]["run"]) == ("run.succeeded", made[0])
    older = program.get("audit", run=made[0], cursor=entries["next_cursor"]).json()  # type: ignore[attr-defined]
    assert older["items"][-1]["verb"] == "run.requested"


@pytest.mark.django_db
def test_the_catalogue_tells_parameters_and_refusals(program_of: ProgramOf, viewer: User) -> None:
    found = {one["key"]: one for one in program_of(viewer).get("actions").json()}  # type: ignore[attr-defined]
    scale = found["scale-api"]
    assert scale["params"] == [
        {
            "name": "count",
            "type": "integer",
            "required": True,
            "help": "From 1 to 50.",
            "minimum": 1,
            "maximum": 50,
            "choices": None,
        }
    ]
    assert (scale["targets"], scale["allowed"]) == (["nova-api"], False)
    assert "Your role" in scale["refusal"]
