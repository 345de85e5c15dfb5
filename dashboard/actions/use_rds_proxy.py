"""Point the API server on ECS at RDS Proxy."""

from collections.abc import Iterable
from typing import Any

from dashboard.task_definitions import looks_secret, secret_names, shown, variables
from novaops.cloud import rds, task_definitions
from novaops.environment import Environment
from novaops.runbook import rollouts
from novaops.runbook.action import Action, AnyStep, Change, Context, FromStep, Inverse, Precheck, Risk
from novaops.runbook.registry import register

AVAILABLE = "AVAILABLE"


@register
class UseRdsProxy(Action):
    """Let the API server connect through RDS Proxy, which pools connections: its host variable in a new revision."""

    key = "use-rds-proxy"
    title = "Connect the API server through RDS Proxy"
    service = "database"
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
        "rds:DescribeDBProxies",
        "rds:DescribeDBProxyTargets",
    )
    expected_s = 200.0
    affects = "Requests go on: new tasks connect through the proxy before the old ones drain."
    undo = "Set the host variable back to the host of before."

    def applies(self, environment: Environment) -> bool:
        """Only where a proxy is declared and the API server runs on ECS."""
        return environment.api.kind == "ecs" and bool(environment.database.proxy_name)

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """It is the API server that changes."""
        return (environment.api.target,)

    def look(self, ctx: Context) -> dict[str, Any]:
        """The ECS service, where it connects to now, and how the proxy and what is behind it are."""
        service, name = ctx.environment.api.on_ecs, ctx.environment.database.host_variable
        facts = rollouts.facts(ctx.environment, service)
        container = task_definitions.describe(ctx.environment, facts["task_definition"]).container(service.container)
        host = variables(container).get(name)
        secret = name in secret_names(container) or looks_secret(name, host or "")
        proxy = rds.describe_proxy(ctx.environment, ctx.environment.database.proxy_name or "")
        return {
            **facts,
            "host": None if secret else host,
            "secret": secret,
            "proxy": {"name": proxy.name, "status": proxy.status, "endpoint": proxy.endpoint},
            "requires_tls": proxy.requires_tls,
            "targets": [[one.id, one.state, one.why] for one in proxy.targets],
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """What every rollout needs; the proxy serves Nova's database, and the host is one that can be changed here."""
        yield from rollouts.prechecks(ctx)
        yield from _of_the_proxy(ctx)
        yield from _of_the_host(ctx)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The host, and the revision."""
        name, facts = ctx.environment.database.host_variable, ctx.facts
        yield Change(what=name, before=shown(name, facts["host"]), after=facts["proxy"]["endpoint"])
        after = "a copy of it with this one change"
        yield Change(what="Task definition", before=rollouts.short(facts["task_definition"]), after=after)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Register, deploy, wait for the rollout, verify behind the load balancer."""
        service, name = ctx.environment.api.on_ecs, ctx.environment.database.host_variable
        changes = {"variables": {name: ctx.facts["proxy"]["endpoint"]}}
        yield rollouts.register_copy(service, ctx.facts["task_definition"], changes)
        yield rollouts.deploy(service, FromStep("register", "task_definition"))
        yield rollouts.wait_for_rollout(service)
        yield rollouts.verify_healthy(service, ctx.environment.api.target_group_arn)

    def inverse(self, ctx: Context) -> Inverse | None:
        """The host of before."""
        name, before = ctx.environment.database.host_variable, ctx.facts["host"]
        params = {"name": name, "value": before}
        return Inverse(action="set-api-variable", params=params, sentence=f"Set {name} back to {before}"[:200])


def _of_the_proxy(ctx: Context) -> Iterable[Precheck]:
    proxy, facts = ctx.facts["proxy"], ctx.facts
    yield Precheck.require(
        proxy["status"] == "available",
        f"The proxy {proxy['name']} is available.",
        f"The proxy {proxy['name']} is {proxy['status']}.",
    )
    told = ", ".join(f"{name} is {state}" + (f" ({why})" if why else "") for name, state, why in facts["targets"])
    healthy = bool(facts["targets"]) and all(state == AVAILABLE for _, state, _ in facts["targets"])
    yield Precheck.require(
        healthy, f"It reaches the database: {told}.", f"It does not reach the database: {told or 'it has no target'}."
    )
    if facts["requires_tls"]:
        yield Precheck(state="warning", sentence="The proxy takes TLS only: the API server must connect with it.")


def _of_the_host(ctx: Context) -> Iterable[Precheck]:
    name, facts = ctx.environment.database.host_variable, ctx.facts
    if facts["secret"] or facts["host"] is None:
        sentence = f"{name} does not stand in the task definition: where the host is in a secret, change it there."
        yield Precheck(state="failed", sentence=sentence)
        return
    yield Precheck.require(
        facts["host"] != facts["proxy"]["endpoint"],
        f"Now the API server connects to {facts['host']}.",
        "The API server connects through the proxy already.",
    )
