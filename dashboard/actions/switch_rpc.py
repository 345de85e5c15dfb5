"""Switch the event processor to the other Stellar RPC."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django import forms

from dashboard import rpcs
from novaops.cloud import nova_db, stellar_rpc, task_definitions
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment
from novaops.runbook import rollouts
from novaops.runbook.action import (
    Action,
    AnyStep,
    Change,
    Context,
    FromStep,
    Inverse,
    Precheck,
    Progress,
    Risk,
    Verdict,
    Verify,
    Wait,
)
from novaops.runbook.registry import register

# So many ledgers further the processor really reads the new RPC.
ADVANCED_LEDGERS = 3


class RpcForm(forms.Form):
    """Which RPC to read from."""

    to = forms.ChoiceField(
        choices=[("backup", "Backup"), ("primary", "Primary")],
        initial="backup",
        label="Read from",
        help_text="Both addresses are declared in nova.toml.",
    )


@register
class SwitchRpc(Action):
    """Deploy the event processor with RPC_URL pointing to the backup RPC, or back to the primary."""

    key = "switch-rpc"
    title = "Switch the Stellar RPC"
    service = "events"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Common Alert Runbooks: Contract Event Processing Lag"
    iam_permissions = (
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTaskDefinitions",
        "ecs:RegisterTaskDefinition",
        "ecs:TagResource",
        "ecs:UpdateService",
        "iam:PassRole",
    )
    expected_s = 150.0
    affects = "Events wait while the task is replaced, then it reads on from its cursor: none is lost or doubled."
    undo = "Switch back to the other RPC when it is healthy."
    form = RpcForm

    def applies(self, environment: Environment) -> bool:
        """Only where there is a second RPC."""
        return environment.events.rpc_backup_url is not None

    def look(self, ctx: Context) -> dict[str, Any]:
        """The ECS service, the RPC that it reads, and how the other one is."""
        service = ctx.environment.events
        facts = rollouts.facts(ctx.environment, service)
        container = task_definitions.describe(ctx.environment, facts["task_definition"]).container(service.container)
        cursor = nova_db.processed_ledger(ctx.environment.database.dsn, service.cursor_table)
        now = {"cursor": cursor, **_condition(ctx)}
        return {**facts, "reads": rpcs.read_by(ctx.environment, container), "now": now}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """The other RPC is another one, healthy, on the same network, and has what the processor reads next."""
        facts, now, goal = ctx.facts, ctx.facts["now"], ctx.params["to"]
        yield from rollouts.prechecks(ctx)
        yield Precheck.require(
            facts["reads"] != rpcs.A_SECRET,
            "RPC_URL is a plain variable.",
            "RPC_URL comes from a secret: change it in Secrets Manager, then restart the event processor.",
        )
        yield Precheck.require(
            facts["reads"] != goal,
            f"The processor reads the {facts['reads']} RPC.",
            f"The processor reads the {goal} RPC already.",
        )
        yield Precheck.require(not now["ill"], f"The {goal} RPC is healthy.", f"The {goal} RPC: {now['ill']}.")
        if not now["ill"]:
            yield from _fits(ctx)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The RPC, and the revision."""
        before, after = (rpcs.named(ctx.environment, which) for which in (ctx.facts["reads"], ctx.params["to"]))
        yield Change(what=rpcs.VARIABLE, before=before, after=after)
        one_change = "a copy of it with this one change"
        yield Change(what="Task definition", before=rollouts.short(ctx.facts["task_definition"]), after=one_change)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Register, deploy, wait for the rollout, see the cursor advance."""
        service = ctx.environment.events
        declared = {rpcs.VARIABLE: rpcs.DECLARED[ctx.params["to"]]}
        yield rollouts.register_copy(service, ctx.facts["task_definition"], {"declared": declared})
        yield rollouts.deploy(service, FromStep("register", "task_definition"))
        yield Wait(
            key="rollout",
            title="The new task starts where the old one stopped",
            look=_rolled_out,
            timeout_s=rollouts.ROLLOUT_TIMEOUT_S,
        )
        yield Verify(key="advances", title="The cursor advances", look=_advances, timeout_s=300)

    def inverse(self, ctx: Context) -> Inverse | None:
        """The RPC of before, where it is one of the two."""
        before = ctx.facts["reads"]
        if before not in rpcs.DECLARED:
            return None
        return Inverse(action=self.key, params={"to": before}, sentence=f"Switch back to the {before} RPC")


def _condition(ctx: Context) -> dict[str, Any]:
    """How the RPC to switch to is; `ill` says why it cannot be read, and is empty where it can."""
    url = rpcs.address(ctx.environment, ctx.params["to"]) or ""
    try:
        health, network = stellar_rpc.health(url), stellar_rpc.passphrase(url)
    except OutsideError as failure:
        return {"ill": str(failure)}
    same = network == ctx.environment.events.network_passphrase
    return {"ill": "", "same_network": same, "latest": health.latest_ledger, "oldest": health.oldest_ledger}


def _fits(ctx: Context) -> Iterable[Precheck]:
    now, goal = ctx.facts["now"], ctx.params["to"]
    yield Precheck.require(
        now["same_network"],
        f"It is on {ctx.environment.events.network_passphrase!r}.",
        f"The {goal} RPC is on another network than {ctx.environment.events.network_passphrase!r}.",
    )
    yield Precheck.require(
        now["oldest"] <= now["cursor"] + 1,
        f"It retains the ledgers behind the cursor ({now['cursor']}).",
        f"The {goal} RPC begins at ledger {now['oldest']}, the cursor is at {now['cursor']}: the ledgers between "
        "would be lost. Use another provider with a longer retention.",
    )
    yield Precheck.require(
        now["latest"] >= now["cursor"],
        f"Its newest ledger is {now['latest']}.",
        f"The {goal} RPC is behind the cursor: its newest ledger is {now['latest']}, the cursor is at {now['cursor']}.",
    )


def _cursor(ctx: Context) -> int:
    return nova_db.processed_ledger(ctx.environment.database.dsn, ctx.environment.events.cursor_table)


def _rolled_out(ctx: Context) -> Progress:
    progress = rollouts.rollout(ctx, ctx.environment.events, str(ctx.results["deploy"]["deployment"]))
    return replace(progress, result={"cursor": _cursor(ctx)}) if progress.verdict is Verdict.DONE else progress


def _advances(ctx: Context) -> Progress:
    """Only the new task can have moved the cursor since the rollout ended."""
    began, cursor = int(ctx.results["rollout"]["cursor"]), _cursor(ctx)
    sentence = f"The cursor is at {cursor}, {cursor - began} ledgers further than when the new task began"
    done = cursor >= began + ADVANCED_LEDGERS
    return Progress(verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=sentence)
