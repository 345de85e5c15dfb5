"""Every page in states that are hard to reach with rows: the same objects the views give, in the real templates."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import RequestFactory

from dashboard.charts import Short
from dashboard.history import RANGES
from dashboard.overview import Change, IncidentStrip, Overview, Verdict
from dashboard.service_views import Line
from dashboard.services.base import services
from dashboard.status import State
from dashboard.tiles import Tile, Value
from novaops import environment as environments
from novaops.runbook.forms import ConfirmForm, PlaceForm
from novaops.runbook.models import Call, Plan, Run, Step, Undo
from novaops.runbook.offers import Offer

NOW = datetime.now(UTC)
USER = User(username="commander")
ALLOWED = SimpleNamespace(allowed=True, sentence="")
DENIED = SimpleNamespace(allowed=False, sentence="Your role may not run disruptive actions: ask a commander.")
STRIP = IncidentStrip(
    number=42,
    title="API server: CPU above 80 % for 5 minutes",
    severity="SEV2",
    age=timedelta(minutes=14),
    commander="commander",
    step="2/6 Assess",
    url="/incidents/42/",
)
OFFERS = [
    Offer(action_key="a", title="Scale the API server", target="nova-api", risk="disruptive", sentence="", url="/a"),
    Offer(
        action_key="b",
        title="Restart the API server",
        target="nova-api",
        risk="disruptive",
        sentence="",
        url="/b",
        disabled_reason="Run 7 is on nova-api.",
    ),
    Offer(action_key="c", title="Roll back", target="nova-api", risk="destructive", sentence="Nobody.", url="/c"),
    Offer(action_key="d", title="List connections", target="nova-db", risk="safe", sentence="Nobody.", url="/d"),
]


def ago(length_s: float) -> datetime:
    return NOW - timedelta(seconds=length_s)


def tile(state: State, kind: str = "api", **changes: Any) -> Tile:
    """A tile in a state, with what such a tile has to tell."""
    old = state in (State.STALE, State.UNKNOWN)
    values = [
        Value(label=label, text=text, unit=unit, source="CloudWatch", age_s=8, stale=old)
        for label, text, unit in (("CPU", "93.4", "%"), ("Connections", "371 / 400", ""), ("Free storage", "71", "GiB"))
    ]
    made = Tile(
        kind=kind,
        title={"api": "API server", "database": "Database", "cache": "Redis", "events": "Event processor"}[kind],
        state=state,
        since=None if state == State.OK else ago(840),
        values=values,
        spark=[30 + at % 5 for at in range(40)] + ([None] * 20 if old else [60 + at for at in range(20)]),
        spark_label="CPU in %, last hour",
        source="CloudWatch, ECS",
        at=ago(190 if old else 8),
        age_s=190 if old else 8,
        stale=old,
        why="" if state == State.OK else "CPU above 80 % for 5 minutes: 93.4 %",
        failures=["Redis did not answer in 1 s"] if old else [],
        url="/services/api/",
    )
    return replace(made, **changes)


def overview(state: State, sentence: str, tiles: list[Tile], **changes: Any) -> Overview:
    made = Overview(
        environment=environments.default(),
        verdict=Verdict(state=state, sentence=sentence, detail="1 critical, 3 healthy", since=ago(840)),
        tiles=tiles,
        alerts=[],
        changes=[],
        offers=[],
        incident=None,
        running=[],
        undos=[],
        as_of=ago(8),
        rev="1-2",
    )
    return replace(made, **changes)


def overviews() -> dict[str, Overview]:
    """The overview calm, burning, blind and empty."""
    kinds = ("api", "database", "cache", "events")
    changes = [
        Change(at=ago(60 * at), kind=kind, text=f"Something about the {kind}", url="/x" if at % 2 else "")
        for at, kind in enumerate(("alert", "run", "deployment", "incident"), 1)
    ]
    mixed = (State.CRIT, State.WARN, State.STALE, State.UNKNOWN)
    never = {"values": [], "spark": [], "at": None, "age_s": None, "why": "Nothing has been collected yet."}
    return {
        "calm": overview(State.OK, "All 4 services are healthy", [tile(State.OK, kind) for kind in kinds]),
        "burning": overview(
            State.CRIT,
            "API server: CPU above 80 % for 5 minutes",
            [tile(state, kind) for state, kind in zip(mixed, kinds, strict=True)],
            changes=changes,
            offers=OFFERS,
            incident=STRIP,
            running=[run("running")],
            undos=[Undo(pk=1, sentence="The API server runs 4 tasks instead of 2.")],
        ),
        "blind": overview(
            State.UNKNOWN, "NovaOps itself has not collected", [tile(State.STALE, kind) for kind in kinds]
        ),
        "empty": overview(
            State.UNKNOWN,
            "NovaOps has not collected anything yet",
            [tile(State.UNKNOWN, kind, **never) for kind in kinds],
        ),
    }


def plan(state: str = "ready", **changes: Any) -> Plan:
    line = "aws ecs update-service --cluster nova --service nova-api --desired-count 4 --region eu-west-1"
    call = {"kind": "effect", "title": "Set the number of tasks", "operation": "ecs:UpdateService"}
    made = Plan(
        action="scale-api",
        environment="sandbox",
        target="nova-api",
        incident=42,
        requested_by=USER,
        created_at=ago(5),
        resolved_at=ago(4),
        state=state,
        sentence="AWS refused ecs:DescribeServices. Nothing was changed." if state == "failed" else "",
        changes=[{"what": "Tasks", "before": "2", "after": "4"}],
        prechecks=[
            {"state": "passed", "sentence": "No deployment is going on"},
            {"state": "warning", "sentence": "The database has 29 connections left; 2 more tasks may open 40"},
        ],
        steps=[{**call, "command_line": line, "params": {"desiredCount": 4}}],
        affects="Nobody: new tasks join when they are healthy.",
        undo="Scale back to 2.",
        expected_s=130,
        digest="9f31c2ab77d1e0",
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def run(status: str) -> Run:
    over = status not in ("running", "unknown")
    return Run(
        pk=7,
        plan=plan(),
        action="restart-api",
        title="Restart the API server",
        environment="sandbox",
        target="nova-api",
        reason="CPU at 93 % for five minutes",
        incident=42,
        requested_by=USER,
        status=status,
        outcome="The rollout failed: ECS went back to task definition 41." if over else "",
        created_at=ago(70),
        started_at=ago(69),
        finished_at=NOW if over else None,
    )


def steps(*states: str) -> list[Any]:
    """Steps of a run in these states, the first with a call."""
    call = Call(
        operation="ecs:UpdateService",
        command_line="aws ecs update-service --cluster nova --service nova-api --force-new-deployment",
        outcome="ok",
        outcome_at=ago(66),
        request_id="7b1e0c4a-4d11",
    )
    found = []
    for position, state in enumerate(states):
        step = Step(
            pk=position + 1,
            position=position,
            title=f"Step {position}",
            kind="wait",
            state=state,
            sentence="1 of 2 tasks run",
        )
        step.started_at = None if state in ("pending", "skipped") else ago(60)
        step.progress_percent = 50 if state == "running" else None
        step._prefetched_objects_cache = {"calls": Call.objects.none()}
        found.append(step)
    found[0]._prefetched_objects_cache["calls"]._result_cache = [call]
    return found


class ScaleForm(forms.Form):
    desired_count = forms.IntegerField(label="Tasks", min_value=1, help_text="Now 2.")


ACTION = SimpleNamespace(
    key="scale-api", title="Scale the API server", risk="destructive", runbook_section="Common Alert Runbooks: High CPU"
)


def pages() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Name -> (template, path, context) of every page in the gallery."""
    refused = plan(prechecks=[{"state": "failed", "sentence": "A deployment is going on since 19:01: wait for it."}])
    place = PlaceForm(initial={"environment": "sandbox", "target": "nova-api", "incident": 42})
    asked = {"needs_approval": True, "track_record": (3, 4), "earlier": None}
    confirm = {"action": ACTION, "form": ConfirmForm(), "can_confirm": ALLOWED, **asked}
    may = {"can_cancel": ALLOWED, "can_decide": DENIED, "rev": "1"}
    line = Line(title="cpu", unit="%", points=[1, None, 3])
    alert = {"title": "High CPU", "state": "firing", "severity": "crit", "value": 93.4, "threshold": 80}
    shown = overviews()
    return {
        **{name: ("dashboard/overview.html", "/", {"overview": one}) for name, one in shown.items()},
        "service": (
            "dashboard/service.html",
            "/services/api/",
            {
                "overview": shown["burning"],
                "tile": shown["burning"].tiles[0],
                "alerts": [{**alert, "started_at": ago(600)}],
                "series": [line],
                "offers": OFFERS,
                "service": services["api"],
                "charts": [Short(chart=services["api"].charts[0], lines=[], sentence="CPU and memory: no data.")],
                "ranges": RANGES,
                "range": "6h",
            },
        ),
        "form": (
            "runbook/new.html",
            "/actions/scale-api/new",
            {"action": ACTION, "place": place, "params": ScaleForm({"desired_count": "0"})},
        ),
        "resolving": ("runbook/preview.html", "/plans/1/", {**confirm, "plan": plan("resolving")}),
        "unplanned": ("runbook/preview.html", "/plans/1/", {**confirm, "plan": plan("failed")}),
        "preview": ("runbook/preview.html", "/plans/1/", {**confirm, "plan": plan()}),
        "refused": ("runbook/preview.html", "/plans/1/", {**confirm, "plan": refused, "can_confirm": DENIED}),
        "running": (
            "runbook/run.html",
            "/runs/7/",
            {**may, "run": run("running"), "steps": steps("done", "running", "pending")},
        ),
        "failed": ("runbook/run.html", "/runs/7/", {**may, "run": run("failed"), "steps": steps("failed", "skipped")}),
        "unknown": (
            "runbook/run.html",
            "/runs/7/",
            {**may, "run": run("unknown"), "steps": steps("unknown", "pending")},
        ),
    }


def render(name: str) -> str:
    """The page of that name as a signed-in commander gets it."""
    template, path, context = pages()[name]
    request = RequestFactory().get(path)
    request.user = USER
    shown = context.get("overview")
    declared = environments.default()
    bar = SimpleNamespace(
        environment=declared,
        environments=[declared],
        incident=shown.incident if shown else None,
        counts={"incidents": 1, "runs": 0},
        now=NOW,
    )
    return render_to_string(template, {**context, "bar": bar, "user": USER, "request": request, "csrf_token": "token"})
