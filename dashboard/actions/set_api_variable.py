"""Set an environment variable of the API server on ECS."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from dashboard.task_definitions import ABSENT, looks_secret, secret_names, shown, variables
from novaops.cloud import task_definitions
from novaops.environment import Environment
from novaops.runbook import rollouts
from novaops.runbook.action import Action, AnyStep, Change, Context, FromStep, Inverse, Precheck, Risk
from novaops.runbook.registry import register

# They change how programs are found and loaded, or whose rights they have, not how Nova behaves.
NOT_SETTINGS = ("AWS_", "LD_", "ECS_", "NODE_OPTIONS", "PATH", "HOME")
UPPER = RegexValidator(r"^[A-Z][A-Z0-9_]*$", "Capital letters, digits and underscores, beginning with a letter.")


class VariableForm(forms.Form):
    """Which variable, and what it shall be."""

    name = forms.CharField(max_length=64, validators=[UPPER], label="Variable", help_text="For example DB_POOL_MAX.")
    value = forms.CharField(
        max_length=512, required=False, label="Value", help_text="Empty removes the variable. Never a secret."
    )

    def clean(self) -> dict[str, Any]:
        """Refuse what is a secret, or no setting of Nova."""
        cleaned = super().clean() or {}
        name, value = cleaned.get("name", ""), cleaned.get("value", "")
        if looks_secret(name, value):
            self.add_error("value", "This looks like a secret: change it in Secrets Manager, it would be kept here.")
        if name.startswith(NOT_SETTINGS):
            self.add_error("name", f"{name} is not a setting of Nova and cannot be changed here.")
        return cleaned


@register
class SetApiVariable(Action):
    """Deploy the API server with one changed environment variable, such as DB_POOL_MAX, in a new revision."""

    key = "set-api-variable"
    title = "Set an environment variable of the API server"
    service = "api"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Common Alert Runbooks: Database Connection Exhaustion"
    iam_permissions = (
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTaskDefinitions",
        "ecs:RegisterTaskDefinition",
        "ecs:TagResource",
        "ecs:UpdateService",
        "elasticloadbalancing:DescribeTargetHealth",
        "iam:PassRole",
    )
    expected_s = 200.0
    affects = "Requests go on: new tasks start before the old ones drain. A wrong value can break every request."
    undo = "Set the variable back to the value of before, or roll the API server back."
    form = VariableForm

    def applies(self, environment: Environment) -> bool:
        """Only where the API server runs on ECS."""
        return environment.api.kind == "ecs"

    def look(self, ctx: Context) -> dict[str, Any]:
        """The ECS service and what the variable is now; a value that looks secret is not kept."""
        service, name = ctx.environment.api.on_ecs, ctx.params["name"]
        facts = rollouts.facts(ctx.environment, service)
        container = task_definitions.describe(ctx.environment, facts["task_definition"]).container(service.container)
        value = variables(container).get(name)
        secret = name in secret_names(container) or looks_secret(name, value or "")
        return {**facts, "value": None if secret else value, "secret": secret}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """What every rollout needs; the variable is no secret and will be another one."""
        name, facts = ctx.params["name"], ctx.facts
        yield from rollouts.prechecks(ctx)
        yield Precheck.require(
            not facts["secret"],
            f"{name} is no secret.",
            f"{name} is a secret of the container: change it in Secrets Manager, then restart the API server.",
        )
        yield Precheck.require(
            (facts["value"] or "") != ctx.params["value"],
            f"{name} is {shown(name, facts['value'])} now.",
            f"{name} is {shown(name, facts['value'])} already.",
        )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The variable, and the revision."""
        name, facts = ctx.params["name"], ctx.facts
        yield Change(what=name, before=shown(name, facts["value"]), after=ctx.params["value"] or ABSENT)
        after = "a copy of it with this one change"
        yield Change(what="Task definition", before=rollouts.short(facts["task_definition"]), after=after)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Register, deploy, wait for the rollout, verify behind the load balancer."""
        service, name, value = ctx.environment.api.on_ecs, ctx.params["name"], ctx.params["value"]
        changes = {"variables": {name: value}} if value else {"without": [name]}
        yield rollouts.register_copy(service, ctx.facts["task_definition"], changes)
        yield rollouts.deploy(service, FromStep("register", "task_definition"))
        yield rollouts.wait_for_rollout(service)
        yield rollouts.verify_healthy(service, ctx.environment.api.target_group_arn)

    def inverse(self, ctx: Context) -> Inverse | None:
        """The value of before."""
        name, before = ctx.params["name"], ctx.facts["value"]
        sentence = f"Set {name} back to {before}"[:200] if before else f"Remove {name} again"
        return Inverse(action=self.key, params={"name": name, "value": before or ""}, sentence=sentence)
