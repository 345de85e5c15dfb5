"""Fail the Redis primary over to a replica."""

from collections.abc import Iterable
from typing import Any

from dashboard import redis_groups
from novaops.cloud import elasticache, nova_redis
from novaops.cloud.errors import OutsideError
from novaops.runbook.action import (
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    Precheck,
    Progress,
    Repeat,
    Risk,
    Seen,
    Verdict,
    Wait,
)
from novaops.runbook.registry import register

RECOVERED = "Finished recovery for cache nodes"


@register
class FailOverRedis(Action):
    """Let a replica of the node group take over by TestFailover, then wait until the group is redundant again."""

    key = "fail-over-redis"
    title = "Fail over Redis"
    service = "cache"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Routine Maintenance: Redis ElastiCache Failover"
    iam_permissions = (
        "elasticache:TestFailover",
        "elasticache:DescribeReplicationGroups",
        "elasticache:DescribeEvents",
    )
    expected_s = 300.0
    affects = (
        "Writes stop for some seconds; sessions and limits survive, but the last writes may be lost as replication is "
        "asynchronous. For some minutes there is one replica less."
    )
    undo = "Nothing to undo: the former primary comes back as a replica."
    most_in_24_h = redis_groups.FAILOVERS_A_DAY

    def look(self, ctx: Context) -> dict[str, Any]:
        """The group, its roles, and how much of the day's quota is spent."""
        found = redis_groups.describe(ctx)
        mine = [node for node in found.nodes if node.node_group == ctx.environment.cache.node_group_id]
        return {
            "status": found.status,
            "automatic_failover": found.automatic_failover,
            "primary": redis_groups.primary_of(ctx, found),
            "nodes": [node.id for node in mine],
            "spent": redis_groups.failovers_spent(ctx.environment),
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """AWS would take the call, and a replica can take over."""
        facts, most = ctx.facts, redis_groups.FAILOVERS_A_DAY
        yield redis_groups.is_available(ctx)
        yield Precheck.require(
            len(facts["nodes"]) > 1,
            f"A replica can take over: {', '.join(node for node in facts['nodes'] if node != facts['primary'])}.",
            "There is no replica that could take over.",
        )
        yield Precheck.require(
            facts["automatic_failover"] == "enabled",
            "Automatic failover is enabled.",
            f"Automatic failover is {facts['automatic_failover']}, so AWS refuses to test it: "
            "use Promote a Redis replica instead.",
        )
        yield Precheck.require(
            facts["spent"] < most,
            f"{facts['spent']} of {most} failovers in 24 hours are spent.",
            f"All {most} failovers that AWS allows in 24 hours are spent: wait for the oldest to be a day old.",
        )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The primary."""
        others = [node for node in ctx.facts["nodes"] if node != ctx.facts["primary"]]
        after = others[0] if len(others) == 1 else "one of " + ", ".join(others)
        yield Change(what="Primary", before=ctx.facts["primary"] or "not told by AWS", after=after)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Fail over once, wait for the promotion, then for redundancy, verify that Redis takes writes."""
        node_group = ctx.environment.cache.node_group_id
        yield Effect(
            key="fail-over",
            title=f"Fail node group {node_group} of {ctx.target} over",
            call=elasticache.TEST_FAILOVER,
            params={"ReplicationGroupId": ctx.target, "NodeGroupId": node_group},
            repeat=Repeat.ONCE,
            before=_fingerprint,
            observe=_seen,
        )
        yield Wait(
            key="promoted",
            title="A replica takes over",
            look=lambda now: redis_groups.promotion(now, "", "fail-over"),
            timeout_s=900,
        )
        yield Wait(key="redundant", title="The former primary is back as a replica", look=_redundant, timeout_s=3600)
        yield redis_groups.redis_takes_writes()


def _fingerprint(ctx: Context) -> dict[str, Any]:
    return {
        "primary": redis_groups.primary_of(ctx, redis_groups.describe(ctx)),
        "newest_event_at": redis_groups.newest_event_at(ctx.environment),
        "replicas": _replicas(ctx),
    }


def _replicas(ctx: Context) -> int:
    """How many replicas Redis itself counts; 0 where it cannot be asked."""
    try:
        return nova_redis.info(ctx.environment.cache.url).replicas
    except OutsideError:
        return 0


def _seen(ctx: Context, before: dict[str, Any]) -> Seen | None:
    told = redis_groups.messages_since(ctx.environment, redis_groups.GROUP, ctx.target, before)
    called = [message for message in told if message.startswith(redis_groups.CALLED)]
    if called:
        return Seen(sentence=f"ElastiCache says: {called[-1]}")
    primary = redis_groups.primary_of(ctx, redis_groups.describe(ctx))
    return Seen(sentence=f"{primary} became the primary") if primary and primary != before["primary"] else None


def _redundant(ctx: Context) -> Progress:
    before = ctx.results["fail-over"]["before"]
    told = [
        message
        for node in ctx.facts["nodes"]
        for message in redis_groups.messages_since(ctx.environment, redis_groups.NODE, node, before)
    ]
    if any(message.startswith(RECOVERED) for message in told):
        return Progress(verdict=Verdict.DONE, sentence="ElastiCache has recovered the former primary as a replica.")
    if before["replicas"] and _replicas(ctx) >= before["replicas"]:
        return Progress(verdict=Verdict.DONE, sentence=f"Redis counts {before['replicas']} replicas again.")
    sentence = f"Writes go on; ElastiCache says: {told[-1]}" if told else "Writes go on; a replica is being replaced"
    return Progress(verdict=Verdict.NOT_YET, sentence=sentence)
