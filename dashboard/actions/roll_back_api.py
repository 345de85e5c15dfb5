"""Roll the API server on ECS back to an earlier task definition."""

from collections.abc import Iterable
from typing import Any

from django import forms

from dashboard.task_definitions import differences, is_mutable
from novaops.cloud import ecs, task_definitions
from novaops.cloud.errors import Refused
from novaops.cloud.task_definitions import Definition
from novaops.environment import Environment
from novaops.runbook import rollouts
from novaops.runbook.action import Action, AnyStep, Change, Context, Inverse, Precheck, Risk
from novaops.runbook.registry import register


class RevisionForm(forms.Form):
    """Which revision to go back to."""

    revision = forms.IntegerField(
        min_value=1,
        max_value=1_000_000,
        required=False,
        label="Revision",
        help_text="Empty means the one that was deployed successfully before.",
    )


@register
class RollBackApi(Action):
    """Deploy an earlier task definition of the API server: the one that ran well before, or a chosen one."""

    key = "roll-back-api"
    title = "Roll the API server back"
    service = "api"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Incident Response Checklist: Mitigate"
    iam_permissions = (
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServiceDeployments",
        "ecs:ListTaskDefinitions",
        "ecs:UpdateService",
        "elasticloadbalancing:DescribeTargetHealth",
        "iam:PassRole",
    )
    expected_s = 180.0
    affects = "Requests go on while tasks are replaced. What the newer release brought is gone; the database stays."
    undo = "Roll forward to the revision that runs now: the same action with its number."
    form = RevisionForm

    def applies(self, environment: Environment) -> bool:
        """Only where the API server runs on ECS."""
        return environment.api.kind == "ecs"

    def look(self, ctx: Context) -> dict[str, Any]:
        """What runs, what it would go back to, and what is different between the two."""
        service = ctx.environment.api.on_ecs
        found = ecs.describe_service(ctx.environment, service.cluster, service.service)
        facts: dict[str, Any] = {
            "status": found.status,
            "desired": found.desired,
            "task_definition": found.task_definition,
            "deployment": found.primary.id,
            "goal": None,
            "now": {"rollout": found.primary.rollout_state},
        }
        goal = _goal(ctx, found.task_definition)
        if goal is None:
            return facts
        current = task_definitions.describe(ctx.environment, found.task_definition)
        return {
            **facts,
            "goal": goal.arn,
            "active": goal.active,
            "image": goal.container(service.container)["image"],
            "differences": differences(current.fields, goal.fields),
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """There is another revision that can be deployed. A rollout in progress may be the bad one: no obstacle."""
        facts = ctx.facts
        yield from rollouts.can_deploy(ctx)
        if facts["goal"] is None:
            yield Precheck(state="failed", sentence=_nothing_to_go_back_to(ctx))
            return
        goal, current = rollouts.short(facts["goal"]), rollouts.short(facts["task_definition"])
        yield Precheck.require(goal != current, f"{current} runs now.", f"{goal} runs already.")
        yield Precheck.require(
            facts["active"], f"{goal} can be deployed.", f"{goal} is INACTIVE: it was deregistered, ECS refuses it."
        )
        if facts["now"]["rollout"] == "IN_PROGRESS":
            sentence = f"The rollout {facts['deployment']} is still in progress: this one takes its place."
            yield Precheck(state="warning", sentence=sentence)
        if is_mutable(facts["image"]):
            sentence = f"The image {facts['image']} is named by no fixed tag: it may not be the one that ran then."
            yield Precheck(state="warning", sentence=sentence)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The revision, and everything in which the two differ."""
        if ctx.facts["goal"] is None:
            return
        before, after = rollouts.short(ctx.facts["task_definition"]), rollouts.short(ctx.facts["goal"])
        yield Change(what="Task definition", before=before, after=after)
        for difference in ctx.facts["differences"]:
            yield Change(**difference)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Deploy, wait for the rollout, verify behind the load balancer."""
        if ctx.facts["goal"] is None:
            return
        service = ctx.environment.api.on_ecs
        yield rollouts.deploy(service, ctx.facts["goal"])
        yield rollouts.wait_for_rollout(service)
        yield rollouts.verify_healthy(service, ctx.environment.api.target_group_arn)

    def inverse(self, ctx: Context) -> Inverse | None:
        """The revision that ran before."""
        before = rollouts.short(ctx.facts["task_definition"])
        sentence = f"Roll {ctx.target} forward to {before}"
        return Inverse(action=self.key, params={"revision": int(before.rpartition(":")[2])}, sentence=sentence)


def _goal(ctx: Context, current: str) -> Definition | None:
    """The chosen revision, or the last other one that was deployed successfully and can be deployed again."""
    service, revision = ctx.environment.api.on_ecs, ctx.params.get("revision")
    if revision:
        return _described(ctx.environment, f"{service.task_family}:{revision}")
    tried = {current}
    for arn in ecs.deployed_before(ctx.environment, service.cluster, service.service):
        if arn not in tried and (found := _described(ctx.environment, arn)) and found.active:
            return found
        tried.add(arn)
    return None


def _described(environment: Environment, name: str) -> Definition | None:
    """None where ECS knows no such revision; it says so with a ClientException."""
    try:
        return task_definitions.describe(environment, name)
    except Refused as failure:
        if failure.code != "ClientException":
            raise
    return None


def _nothing_to_go_back_to(ctx: Context) -> str:
    if ctx.params.get("revision"):
        return f"There is no revision {ctx.params['revision']} of {ctx.environment.api.on_ecs.task_family}."
    return (
        "ECS knows of no other revision that was deployed successfully in the last 90 days: choose one by its number."
    )
