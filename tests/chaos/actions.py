"""The storm's actions: restart-api (ONCE) and scale-api (CONVERGING) on many services, and a snapshot (NAMED)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from dashboard.actions.restart_api import RestartApi
from dashboard.actions.scale_api import ScaleApi
from novaops.cloud import aws, ecs
from novaops.cloud.errors import Refused
from novaops.environment import Environment
from novaops.runbook import rollouts
from novaops.runbook.action import (
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    FromRun,
    Precheck,
    Progress,
    Repeat,
    Risk,
    Seen,
    Verdict,
    Wait,
)
from novaops.runbook.registry import register

TARGETS = tuple(f"nova-{number:03}" for number in range(400))
# Two minutes are too long for a storm: an effect that is never sent again is looked for so long, then unknown.
OBSERVE_S = 4.0
CREATE_SNAPSHOT = aws.Operation("rds:CreateDBSnapshot")


def _there(ctx: Context) -> Context:
    """The context whose API server is the run's target."""
    api = ctx.environment.api
    service = api.on_ecs.model_copy(update={"service": ctx.target})
    environment = ctx.environment.model_copy(update={"api": api.model_copy(update={"ecs": service})})
    return replace(ctx, environment=environment)


def _impatient(steps: Iterable[AnyStep]) -> list[AnyStep]:
    return [
        replace(step, observe_for_s=OBSERVE_S) if isinstance(step, Effect) and step.repeat is Repeat.ONCE else step
        for step in steps
    ]


class OnManyTargets(Action):
    """What the storm's actions share."""

    def targets(self, environment: Environment) -> tuple[str, ...]:
        return TARGETS


@register
class ChaosRestart(OnManyTargets, RestartApi):
    """restart-api on the target's service."""

    key = "chaos-restart"

    def look(self, ctx: Context) -> dict[str, Any]:
        return rollouts.facts(ctx.environment, _there(ctx).environment.api.on_ecs)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        return _impatient(super().steps(_there(ctx)))


@register
class ChaosScale(OnManyTargets, ScaleApi):
    """scale-api on the target's service."""

    key = "chaos-scale"

    def look(self, ctx: Context) -> dict[str, Any]:
        service = _there(ctx).environment.api.on_ecs
        found = ecs.describe_service(ctx.environment, service.cluster, service.service)
        return {"status": found.status, "desired": found.desired}

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        return _impatient(super().steps(_there(ctx)))


@register
class ChaosSnapshot(OnManyTargets):
    """A snapshot named after the run."""

    key = "chaos-snapshot"
    title = "Take a snapshot"
    service = "database"
    risk = Risk.DISRUPTIVE
    runbook_section = "Tests"
    iam_permissions = ("rds:CreateDBSnapshot", "rds:DescribeDBSnapshots")
    expected_s = 2.0
    affects = "Nobody."
    undo = "Delete it."

    def look(self, ctx: Context) -> dict[str, Any]:
        return {"snapshot_exists": bool(_status(ctx, f"chaos-look-{ctx.target}"))}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        yield Precheck.require(not ctx.facts["snapshot_exists"], "The name is free.", "The name is taken.")

    def changes(self, ctx: Context) -> Iterable[Change]:
        yield Change(what="Snapshots", before="none", after="one")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        yield Effect(
            key="snapshot",
            title="Take the snapshot",
            call=CREATE_SNAPSHOT,
            params={"DBInstanceIdentifier": ctx.target, "DBSnapshotIdentifier": FromRun("novaops-run-{run}")},
            repeat=Repeat.NAMED,
            before=lambda _: {},
            observe=_seen,
        )
        yield Wait(key="available", title="It becomes available", look=_available, timeout_s=60)


def _status(ctx: Context, snapshot: str) -> str:
    try:
        answer = aws.read(ctx.environment, "rds:DescribeDBSnapshots", DBSnapshotIdentifier=snapshot)
    except Refused as refusal:
        if refusal.code != "DBSnapshotNotFound":
            raise
        return ""
    return str(answer["DBSnapshots"][0]["Status"])


def _seen(ctx: Context, before: dict[str, Any]) -> Seen | None:
    return Seen(sentence="The snapshot is there") if _status(ctx, f"novaops-run-{ctx.run_id}") else None


def _available(ctx: Context) -> Progress:
    status = _status(ctx, f"novaops-run-{ctx.run_id}")
    verdict = Verdict.DONE if status == "available" else Verdict.NOT_YET
    return Progress(verdict=verdict, sentence=f"The snapshot is {status}")
