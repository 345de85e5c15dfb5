"""Promote a chosen Redis replica where automatic failover is off."""

from collections.abc import Iterable
from typing import Any

from django import forms

from dashboard import redis_groups
from novaops.cloud import elasticache
from novaops.runbook.action import (
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    Inverse,
    Precheck,
    Progress,
    Repeat,
    Risk,
    Seen,
    Verdict,
    Wait,
)
from novaops.runbook.registry import register


class NodeForm(forms.Form):
    """Which replica shall be the primary."""

    node = forms.CharField(max_length=50, label="Replica to promote", help_text="Its name, such as nova-cache-002.")


@register
class PromoteRedisReplica(Action):
    """Make a chosen replica the primary by PrimaryClusterId: AWS allows it while automatic failover is off."""

    key = "promote-redis-replica"
    title = "Promote a Redis replica"
    service = "cache"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Routine Maintenance: Redis ElastiCache Failover"
    iam_permissions = (
        "elasticache:ModifyReplicationGroup",
        "elasticache:DescribeReplicationGroups",
        "elasticache:DescribeEvents",
    )
    expected_s = 60.0
    affects = "Writes stop for some seconds, and the last ones may be lost as replication is asynchronous."
    undo = "Promote the former primary again."
    form = NodeForm

    def look(self, ctx: Context) -> dict[str, Any]:
        """The group and its roles."""
        found = redis_groups.describe(ctx)
        return {
            "status": found.status,
            "automatic_failover": found.automatic_failover,
            "primary": redis_groups.primary_of(ctx, found),
            "replicas": [node.id for node in found.replicas],
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """AWS promotes only by hand where it does not fail over by itself, and only a replica."""
        facts, node = ctx.facts, ctx.params["node"]
        yield redis_groups.is_available(ctx)
        yield Precheck.require(
            facts["automatic_failover"] == "disabled",
            "Automatic failover is off.",
            f"Automatic failover is {facts['automatic_failover']}, so AWS refuses a promotion: use Fail over Redis.",
        )
        known = ", ".join(facts["replicas"]) or "there is none"
        yield Precheck.require(
            node in facts["replicas"], f"{node} is a replica.", f"{node} is no replica of {ctx.target}: {known}."
        )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The primary."""
        yield Change(what="Primary", before=ctx.facts["primary"], after=ctx.params["node"])

    def inverse(self, ctx: Context) -> Inverse | None:
        """The primary of before."""
        before = ctx.facts["primary"]
        return Inverse(action=self.key, params={"node": before}, sentence=f"Make {before} the primary again")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Promote, wait until the role has moved and the group is available, verify that Redis takes writes."""
        node = ctx.params["node"]
        yield Effect(
            key="promote",
            title=f"Make {node} the primary",
            call=elasticache.MODIFY_GROUP,
            params={"ReplicationGroupId": ctx.target, "PrimaryClusterId": node, "ApplyImmediately": True},
            repeat=Repeat.CONVERGING,
            before=_fingerprint,
            observe=lambda now, _before: _seen(now, node),
        )
        yield Wait(
            key="promoted", title="The replica takes over", look=lambda now: _promoted(now, node), timeout_s=1800
        )
        yield redis_groups.redis_takes_writes()


def _fingerprint(ctx: Context) -> dict[str, Any]:
    primary = redis_groups.primary_of(ctx, redis_groups.describe(ctx))
    return {"primary": primary, "newest_event_at": redis_groups.newest_event_at(ctx.environment)}


def _seen(ctx: Context, node: str) -> Seen | None:
    found = redis_groups.describe(ctx)
    if redis_groups.primary_of(ctx, found) == node or found.status == "modifying":
        return Seen(sentence=f"The group is {found.status}")
    return None


def _promoted(ctx: Context, node: str) -> Progress:
    progress = redis_groups.promotion(ctx, node, "promote")
    status = redis_groups.describe(ctx).status
    if progress.verdict is Verdict.DONE and status != redis_groups.AVAILABLE:
        return Progress(verdict=Verdict.NOT_YET, sentence=f"{progress.sentence} The group is still {status}")
    return progress
