"""What cutting over and cutting back share: whither DATABASE_URL points, and redeploying who reads it."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from novaops.cloud import ecs, secrets, task_definitions
from novaops.environment import EcsService, Environment, UrlPlace
from novaops.runbook import rollouts
from novaops.runbook.action import AnyStep, Context, Effect, FromStep, Precheck, Progress, Repeat, Seen, Verdict, Verify

IAM = (
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTaskDefinitions",
    "ecs:RegisterTaskDefinition",
    "ecs:TagResource",
    "ecs:UpdateService",
    "elasticloadbalancing:DescribeTargetHealth",
    "iam:PassRole",
    "kms:Decrypt",
    "rds:DescribeDBInstances",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
    "ssm:GetParameter",
    "ssm:PutParameter",
)
STEADY_S = 600.0


def applies(environment: Environment) -> bool:
    """Only where nova.toml says where DATABASE_URL stands, and who reads it runs on ECS."""
    url = environment.database.url
    on_ecs = environment.api.kind == "ecs" or (url is not None and "api" not in url.services)
    return environment.database.kind == "instance" and url is not None and on_ecs


def place(environment: Environment) -> UrlPlace:
    """The declared place. Raises ValueError where none is declared."""
    if environment.database.url is None:
        raise ValueError("nova.toml declares no database.url")
    return environment.database.url


def named(url: UrlPlace) -> str:
    """The place in words."""
    return f"the {url.kind} {url.name}" + (f", key {url.key}" if url.key else "")


def services(environment: Environment) -> dict[str, EcsService]:
    """Who reads it, by kind, in the order in which they are redeployed."""
    known = {"events": environment.events, **({"api": environment.api.ecs} if environment.api.ecs else {})}
    return {kind: known[kind] for kind in place(environment).services}


def look_at_services(environment: Environment) -> dict[str, Any]:
    """What each rollout hangs on, by kind of service."""
    return {kind: rollouts.facts(environment, service) for kind, service in services(environment).items()}


def hosts(environment: Environment, deployed: dict[str, Any]) -> dict[str, str]:
    """Whither each service's own variable points, by kind: for a place that is a variable."""
    url, found = place(environment), {}
    for kind, service in services(environment).items():
        revision = task_definitions.describe(environment, deployed[kind]["task_definition"])
        entries = revision.container(service.container).get("environment", [])
        values = [entry.get("value", "") for entry in entries if entry["name"] == url.name]
        found[kind] = secrets.host_of(values[0]) if values else ""
    return found


def prechecks(ctx: Context) -> Iterable[Precheck]:
    """Every service can be deployed, and no other rollout of it is in progress."""
    for kind, facts in ctx.facts["services"].items():
        name = services(ctx.environment)[kind].service
        holds = facts["status"] == "ACTIVE" and facts["desired"] > 0 and facts["rollout"] != "IN_PROGRESS"
        why = "a rollout is in progress" if facts["rollout"] == "IN_PROGRESS" else f"it is {facts['status']}"
        yield Precheck.require(
            holds, f"{name} can be deployed.", f"{name} cannot be deployed now: {why}, {facts['desired']} tasks wanted."
        )


def redeploy(ctx: Context, kind: str) -> Iterable[AnyStep]:
    """New tasks that read the value as it is now, and their health."""
    service = services(ctx.environment)[kind]
    yield rollouts.force_new_deployment(service, key=f"deploy-{kind}")
    yield from watch(ctx, kind)


def deploy_revision(ctx: Context, kind: str, revision: str | FromStep) -> Iterable[AnyStep]:
    """Tasks of a revision, and their health."""
    yield rollouts.deploy(services(ctx.environment)[kind], revision, key=f"deploy-{kind}")
    yield from watch(ctx, kind)


def watch(ctx: Context, kind: str) -> Iterable[AnyStep]:
    """The rollout by its own id, then the health of what serves."""
    service = services(ctx.environment)[kind]
    group = ctx.environment.api.target_group_arn if kind == "api" else None
    yield rollouts.wait_for_rollout(service, of=f"deploy-{kind}", key=f"rollout-{kind}")
    yield rollouts.verify_healthy(service, group, key=f"healthy-{kind}")


def all_serve() -> Verify:
    """All of them still run after the last one was deployed."""
    return Verify(key="all-serve", title="Nova is served from there", look=_all_serve, timeout_s=STEADY_S)


def _all_serve(ctx: Context) -> Progress:
    for kind, service in services(ctx.environment).items():
        group = ctx.environment.api.target_group_arn if kind == "api" else None
        found = rollouts.tasks_serve(ctx, service, group)
        if found.verdict is not Verdict.DONE:
            return Progress(verdict=found.verdict, sentence=f"{service.service}: {found.sentence}")
        state = ecs.describe_service(ctx.environment, service.cluster, service.service).primary.rollout_state
        if state == "FAILED":
            return Progress(verdict=Verdict.FAILED, sentence=f"ECS gave the deployment of {service.service} up.")
    return Progress(verdict=Verdict.DONE, sentence="Every service that reads it runs as many healthy tasks as wanted.")


def point(ctx: Context, host: str, port: int) -> Effect:
    """A new version of the secret or parameter, which points at another host."""
    url, old = place(ctx.environment), ctx.facts["from"]["version"]
    if url.kind == "secret":
        return Effect(
            key="point",
            title=f"Give {named(url)} a new version",
            call=secrets.POINT_SECRET,
            params={
                "SecretId": url.name,
                "Key": url.key or "",
                "FromVersion": old,
                "Host": host,
                "Port": port,
                "ClientRequestToken": ctx.facts["token"],
            },
            repeat=Repeat.CONVERGING,
            before=version_now,
            observe=partial(_points_at, host),
            result=lambda answer: {"version": answer["VersionId"]},
        )
    return Effect(
        key="point",
        title=f"Give {named(url)} a new version",
        call=secrets.POINT_PARAMETER,
        params={"Name": url.name, "FromVersion": old, "Host": host, "Port": port},
        repeat=Repeat.CONVERGING,
        before=version_now,
        observe=partial(_points_at, host),
        result=lambda answer: {"version": str(answer["Version"])},
    )


def version_now(ctx: Context) -> dict[str, Any]:
    """The version that holds right before."""
    return {"version": secrets.pointer(ctx.environment, place(ctx.environment)).version}


def _points_at(host: str, ctx: Context, before: dict[str, Any]) -> Seen | None:
    found = secrets.pointer(ctx.environment, place(ctx.environment))
    if found.version == before["version"] or found.host != host:
        return None
    return Seen(sentence=f"Version {found.version} points at {host}", result={"version": found.version})
