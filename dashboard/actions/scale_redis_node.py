"""Change the node type of the replication group."""

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


class NodeTypeForm(forms.Form):
    """Which node type."""

    node_type = forms.RegexField(
        r"^cache\.[a-z0-9]+\.[a-z0-9]+$",
        max_length=40,
        label="Node type",
        help_text="Such as cache.t4g.medium; the plan says which ones AWS allows.",
    )


@register
class ScaleRedisNode(Action):
    """Give every node of the group more or less memory by another node type, online."""

    key = "scale-redis-node"
    title = "Scale the Redis node type"
    service = "cache"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Common Alert Runbooks: Redis Evictions"
    iam_permissions = (
        "elasticache:ModifyReplicationGroup",
        "elasticache:ListAllowedNodeTypeModifications",
        "elasticache:DescribeReplicationGroups",
        "elasticache:DescribeEvents",
    )
    expected_s = 900.0
    affects = "Redis goes on; connections may be cut for a few seconds when the new nodes take over. The cost changes."
    undo = "Scale back to the node type of before."
    form = NodeTypeForm

    def look(self, ctx: Context) -> dict[str, Any]:
        """The node type now, and those that AWS allows."""
        found = redis_groups.describe(ctx)
        allowed = elasticache.allowed_node_types(ctx.environment, ctx.target)
        return {
            "status": found.status,
            "node_type": found.node_type,
            "larger": sorted(allowed.larger),
            "smaller": sorted(allowed.smaller),
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """AWS allows that type, and smaller ones come with a warning."""
        facts, wanted = ctx.facts, ctx.params["node_type"]
        yield redis_groups.is_available(ctx)
        if wanted == facts["node_type"]:
            yield Precheck(state="failed", sentence=f"The nodes are {wanted} already.")
            return
        allowed = [*facts["larger"], *facts["smaller"]]
        yield Precheck.require(
            wanted in allowed,
            f"AWS allows {wanted}.",
            f"AWS does not allow {wanted} from {facts['node_type']}: {', '.join(allowed) or 'nothing'}.",
        )
        if wanted in facts["smaller"]:
            yield Precheck(
                state="warning", sentence=f"{wanted} has less memory: what does not fit will be evicted or refused."
            )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The node type."""
        yield Change(what="Node type", before=ctx.facts["node_type"], after=ctx.params["node_type"])

    def inverse(self, ctx: Context) -> Inverse | None:
        """The node type of before."""
        before = ctx.facts["node_type"]
        return Inverse(action=self.key, params={"node_type": before}, sentence=f"Scale {ctx.target} back to {before}")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Ask for the type, wait until every node has it, verify that Redis takes writes."""
        wanted = ctx.params["node_type"]
        yield Effect(
            key="scale",
            title=f"Change the nodes of {ctx.target} to {wanted}",
            call=elasticache.MODIFY_GROUP,
            params={"ReplicationGroupId": ctx.target, "CacheNodeType": wanted, "ApplyImmediately": True},
            repeat=Repeat.CONVERGING,
            before=_fingerprint,
            observe=lambda now, _before: _seen(now, wanted),
        )
        yield Wait(
            key="scaled", title="ElastiCache replaces the nodes", look=lambda now: _scaled(now, wanted), timeout_s=7200
        )
        yield redis_groups.redis_takes_writes()


def _fingerprint(ctx: Context) -> dict[str, Any]:
    node_type = redis_groups.describe(ctx).node_type
    return {"node_type": node_type, "newest_event_at": redis_groups.newest_event_at(ctx.environment)}


def _seen(ctx: Context, wanted: str) -> Seen | None:
    found = redis_groups.describe(ctx)
    if found.status != "modifying" and found.node_type != wanted:
        return None
    return Seen(sentence=f"The group is {found.status}, its nodes are {found.node_type}")


def _scaled(ctx: Context, wanted: str) -> Progress:
    found = redis_groups.describe(ctx)
    sentence = f"The group is {found.status}, its nodes are {found.node_type}"
    if found.node_type == wanted and found.status == redis_groups.AVAILABLE:
        return Progress(verdict=Verdict.DONE, sentence=f"{sentence}.")
    before = ctx.results["scale"]["before"]
    told = redis_groups.messages_since(ctx.environment, redis_groups.GROUP, ctx.target, before)
    return Progress(verdict=Verdict.NOT_YET, sentence=f"{sentence}: {told[-1]}" if told else sentence)
