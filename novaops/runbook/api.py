"""The JSON API under /api/v1/: bearer tokens only, and the same planning and requests as every page."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Header, NinjaAPI, Path, Query, Status
from ninja.security import HttpBearer

from novaops import environment as environments
from novaops import live
from novaops.access import tokens
from novaops.access.adapter import address_of
from novaops.access.models import Token
from novaops.access.policy import Verb
from novaops.audit.models import Entry
from novaops.environment import Environment
from novaops.runbook import api_document, api_views, intake, requests
from novaops.runbook.api_problems import Problem, StrictParser, connect, refuse_unknown_query
from novaops.runbook.api_schemas import (
    ActionFilters,
    ActionOut,
    AuditFilters,
    AuditPage,
    HealthOut,
    PlanIn,
    PlanOut,
    RowId,
    RunFilters,
    RunIn,
    RunOut,
    RunsPage,
)
from novaops.runbook.models import Plan, Run
from novaops.runbook.registry import actions
from novaops.runbook.tasks import SWEPT_AT

Key = Annotated[str, Header(alias="Idempotency-Key", pattern=r"^[\x21-\x7e]{1,64}$")]
RunId = Annotated[RowId, Path()]


class Bearer(HttpBearer):
    """A token in the Authorization header: no cookie and no other place is looked at."""

    def authenticate(self, request: HttpRequest, token: str) -> Token | None:
        """The token, so many times a minute."""
        found = tokens.recognise(token, address=address_of(request))
        if found:
            _count(found)
        return found


def _count(token: Token) -> None:
    now = int(time.time())
    if live.count_this_minute(f"api:{token.public_id}", now) > settings.API_REQUESTS_A_MINUTE:
        sentence = f"A token makes at most {settings.API_REQUESTS_A_MINUTE} requests a minute. Nothing happened."
        raise Problem(429, "too-many", sentence, headers={"Retry-After": str(60 - now % 60)})


api = NinjaAPI(
    title="NovaOps",
    version="1",
    description="Health, actions, plans, runs, the audit and incidents of Nova's runbook.",
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
    auth=Bearer(),
    parser=StrictParser(),
)
connect(api)


@api.get("/openapi.json", include_in_schema=False)
def openapi(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """This API, described."""
    return api_document.response(api)


@api.get("/health", response=api_document.answers({200: HealthOut}))
def health(request: HttpRequest) -> Any:
    """Whether NovaOps itself can work: its database, its Redis, and how long ago a worker swept."""
    refuse_unless(request, Verb.VIEW)
    mark, swept_at = timezone.now().isoformat(), cache.get(SWEPT_AT)
    cache.set("api-health", mark, timeout=10)
    redis = cache.get("api-health") == mark
    age_s = (timezone.now() - datetime.fromisoformat(swept_at)).total_seconds() if swept_at else None
    swept = age_s is not None and age_s < 3 * settings.SWEEP_EVERY_S
    return {"ready": redis and swept, "database": True, "redis": redis, "worker_sweep_age_s": age_s}


@api.get("/actions", response=api_document.answers({200: list[ActionOut]}, 422))
def catalogue(request: HttpRequest, filters: Query[ActionFilters]) -> Any:
    """Every action that the environment has something for, with its parameters and whether this token may run it."""
    refuse_unknown_query(request, ActionFilters)
    environment = _environment(filters.environment)
    refuse_unless(request, Verb.VIEW, environment)
    found = [action() for _, action in sorted(actions.items())]
    return [api_views.action(one, environment, token_of(request)) for one in found if one.applies(environment)]


@api.post(
    "/plans",
    response=api_document.answers({200: PlanOut, 202: PlanOut}, 400, 409, 413, 415, 422),
    openapi_extra=api_document.links("plan"),
)
def make_plan(request: HttpRequest, body: PlanIn, response: HttpResponse) -> Any:
    """Look at the target and tell the very calls a run would make. 202 while no worker has looked yet."""
    action, environment = intake.named(body.action, body.environment)
    refuse_unless(request, Verb.VIEW, environment)
    intake.check_types(action, body.params)
    params = intake.checked(action, body.params)
    plan = intake.plan(action, environment, body.target, params, by=token_of(request).owner, incident=None)
    if plan.state == Plan.State.FAILED:
        raise Problem(409, "plan-failed", plan.sentence)
    response["Location"] = reverse("api:plan", args=[plan.pk])
    return Status(200 if plan.state == Plan.State.READY else 202, api_views.plan(plan))


@api.get("/plans/{plan_id}", response=api_document.answers({200: PlanOut}, 404, 422), url_name="plan")
def plan(request: HttpRequest, plan_id: UUID) -> Any:
    """A plan, resolved or not."""
    found = Plan.objects.filter(pk=plan_id).first()
    if found is None:
        raise Problem(404, "not-found", "There is no such plan.")
    refuse_unless(request, Verb.VIEW, environments.get(found.environment))
    return api_views.plan(found)


@api.post(
    "/runs",
    response=api_document.answers({200: RunOut, 201: RunOut}, 400, 409, 413, 415, 422),
    openapi_extra=api_document.links("run"),
)
def start(request: HttpRequest, body: RunIn, key: Key, response: HttpResponse) -> Any:
    """Start a run: 201, or 200 with the first run where this token sent the same request with this key before."""
    action, environment = intake.named(body.action, body.environment)
    token = token_of(request)
    refused = api_views.refusal(action, environment, token)
    if refused:
        raise Problem(403, "not-permitted", refused)
    intake.check_types(action, body.params)
    params = intake.checked(action, body.params)
    own_key = f"api:{token.public_id}:{key}"
    first = Run.objects.filter(idempotency_key=own_key).select_related("plan").first()
    made = _same(first, body, params) if first else _resolved(action, environment, body, params, token)
    run = requests.request(
        made,
        by=token.owner,
        reason=body.reason,
        idempotency_key=own_key,
        via=f"api:{token.public_id}",
        incident=body.incident,
    )
    response["Location"] = reverse("api:run", args=[run.pk])
    return Status(201 if run.plan_id == made.pk else 200, api_views.run(run))


def _same(first: Run, body: RunIn, params: dict[str, Any]) -> Plan:
    """The body as a plan to be compared with that of the key's first run, which is the answer where they are equal."""
    other_plan = body.plan_digest not in (None, first.plan.digest)
    if other_plan or body.incident != first.incident:
        sentence = "This idempotency key was used for another request. Nothing happened."
        raise Problem(422, "key-reused", sentence, field="Idempotency-Key", run=first.pk)
    return Plan(action=body.action, environment=body.environment, target=body.target, params=params)


def _resolved(action: Any, environment: Environment, body: RunIn, params: dict[str, Any], token: Token) -> Plan:
    made = intake.plan(action, environment, body.target, params, by=token.owner, incident=body.incident)
    if made.state == Plan.State.RESOLVING:
        sentence = "No worker looked at the target in time. Nothing happened: send it again with the same key."
        raise Problem(503, "plan-not-resolved", sentence, headers={"Retry-After": "5"})
    if made.state == Plan.State.READY and body.plan_digest not in (None, made.digest):
        raise Problem(409, "plan-changed", "The plan is another one by now. Nothing happened: look at it again.")
    return made


@api.get("/runs", response=api_document.answers({200: RunsPage}, 422))
def runs(request: HttpRequest, filters: Query[RunFilters]) -> Any:
    """Runs, newest first."""
    refuse_unknown_query(request, RunFilters)
    refuse_unless(request, Verb.VIEW)
    wanted = filters.dict(exclude_none=True, exclude={"cursor", "limit"})
    found = visible(request, Run.objects.filter(**wanted).select_related("requested_by"))
    older = found.filter(pk__lt=filters.cursor) if filters.cursor else found
    return page(older.order_by("-pk"), filters.limit, api_views.brief, lambda row: row.pk)


@api.get("/runs/{run_id}", response=api_document.answers({200: RunOut}, 404, 422), url_name="run")
def run(request: HttpRequest, run_id: RunId) -> Any:
    """A run with its steps, its progress, every call and the outcome."""
    found = _run(run_id)
    refuse_unless(request, Verb.VIEW, environments.get(found.environment))
    return api_views.run(found)


@api.post("/runs/{run_id}/cancel", response=api_document.answers({200: RunOut}, 404, 409, 413, 415, 422))
def cancel(request: HttpRequest, run_id: RunId) -> Any:
    """Ask that no further step of the run is begun. What was sent is not undone."""
    found = _run(run_id)
    verb = actions[found.action].risk.verb if found.action in actions else Verb.COMMAND
    refuse_unless(request, verb, environments.get(found.environment))
    token = token_of(request)
    requests.cancel(found, by=token.owner, via=f"api:{token.public_id}")
    return api_views.run(_run(run_id))


@api.get("/audit", response=api_document.answers({200: AuditPage}, 422))
def audit(request: HttpRequest, filters: Query[AuditFilters]) -> Any:
    """Entries of the audit chain, newest first."""
    refuse_unknown_query(request, AuditFilters)
    refuse_unless(request, Verb.VIEW)
    wanted = filters.dict(exclude_none=True, exclude={"cursor", "limit"})
    found = visible(request, Entry.objects.filter(**wanted))
    older = found.filter(seq__lt=filters.cursor) if filters.cursor else found
    return page(older.order_by("-seq"), filters.limit, api_views.entry, lambda row: row.seq)


def page(
    found: "QuerySet[Any]", limit: int, shown: Callable[[Any], dict[str, Any]], cursor: Callable[[Any], int]
) -> dict[str, Any]:
    """The first rows, and where the next page begins."""
    rows = list(found[: limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    return {"items": [shown(row) for row in rows], "next_cursor": cursor(rows[-1]) if more else None}


def token_of(request: HttpRequest) -> Token:
    """The token that the request came with."""
    return request.auth  # type: ignore[attr-defined, no-any-return]


def refuse_unless(request: HttpRequest, verb: Verb, environment: Environment | None = None) -> None:
    """Raise a Problem unless the token may use `verb` there."""
    verdict = tokens.permits(token_of(request), verb, environment)
    if not verdict:
        raise Problem(403, "not-permitted", verdict.sentence)


def _environment(name: str | None) -> Environment:
    found = environments.get(name) if name else environments.default()
    if found is None:
        raise Problem(422, "invalid", f"There is no environment {name!r}.", field="environment")
    return found


def _run(run_id: int) -> Run:
    found = Run.objects.select_related("plan", "requested_by").filter(pk=run_id).first()
    if found is None:
        raise Problem(404, "not-found", f"There is no run {run_id}.")
    return found


def visible(request: HttpRequest, found: "QuerySet[Any]") -> "QuerySet[Any]":
    """Without what is in declared environments that this token may not see."""
    declared = environments.environments().items()
    hidden = [name for name, one in declared if not tokens.permits(token_of(request), Verb.VIEW, one)]
    return found.exclude(environment__in=hidden)
