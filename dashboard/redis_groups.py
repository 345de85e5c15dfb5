"""What the actions on Nova's replication group share: looking at it, its events, the quota, and that Redis serves."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from novaops.cloud import elasticache, nova_redis
from novaops.cloud.elasticache import Group
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment
from novaops.runbook.action import Context, Precheck, Progress, Verdict, Verify
from novaops.runbook.models import Run
from novaops.runbook.states import CallOutcome

AVAILABLE = "available"
GROUP, NODE = "replication-group", "cache-cluster"
CALLED = "Test Failover API called for node group"
# TestFailover: node groups in any 24 hours, of the whole account in a region (FACTS C).
FAILOVERS_A_DAY = 15
DAY = timedelta(hours=24)
LOOK_BACK = timedelta(hours=1)


def describe(ctx: Context) -> Group:
    """The target now."""
    return elasticache.describe_group(ctx.environment, ctx.target)


def is_available(ctx: Context) -> Precheck:
    """The guard of every change: AWS takes it only in this status."""
    status = ctx.facts["status"]
    return Precheck.require(
        status == AVAILABLE, "The group is available.", f"The group is {status}: wait until it is available."
    )


def failovers_spent(environment: Environment) -> int:
    """How many node groups were failed over in the last 24 hours: the more of what AWS tells and what our runs sent."""
    since = datetime.now(UTC) - DAY
    told = sum(one.message.startswith(CALLED) for one in elasticache.events(environment, GROUP, since))
    happened = (CallOutcome.OK, CallOutcome.OBSERVED, CallOutcome.UNKNOWN)
    ours = Run.objects.filter(
        environment=environment.name,
        steps__calls__operation=elasticache.TEST_FAILOVER.name,
        steps__calls__outcome__in=happened,
        steps__calls__intent_at__gt=since,
    )
    return max(told, ours.distinct().count())


def newest_event_at(environment: Environment) -> str:
    """The time of the newest event of any group or node, by AWS's clock: what is newer came afterwards."""
    since = datetime.now(UTC) - LOOK_BACK
    told = [one.at for kind in (GROUP, NODE) for one in elasticache.events(environment, kind, since)]
    return max(told, default=since).isoformat()


def messages_since(environment: Environment, source_type: str, source: str, before: Mapping[str, Any]) -> list[str]:
    """What AWS said of a group or node after the fingerprint, oldest first."""
    newest_at = datetime.fromisoformat(before["newest_event_at"])
    told = elasticache.events(environment, source_type, newest_at)
    return [one.message for one in told if one.source == source and one.at > newest_at]


def redis_takes_writes() -> Verify:
    """Verify by asking Redis itself, where its URL is declared."""
    return Verify(key="answers", title="Redis answers as a primary", look=_takes_writes, timeout_s=300)


def _takes_writes(ctx: Context) -> Progress:
    cache = ctx.environment.cache
    if not cache.url:
        sentence = f"AWS says that it is done. Redis was not asked: {cache.url_env} is not set."
        return Progress(verdict=Verdict.DONE, sentence=sentence)
    try:
        info = nova_redis.info(cache.url)
    except OutsideError as failure:
        return Progress(verdict=Verdict.NOT_YET, sentence=str(failure))
    if info.role != "master":
        return Progress(verdict=Verdict.NOT_YET, sentence=f"The endpoint still leads to a {info.role}")
    return Progress(verdict=Verdict.DONE, sentence=f"Redis answers as a primary, with {info.clients} clients.")


def promotion(ctx: Context, wanted: str, step: str) -> Progress:
    """Whether the role moved to `wanted` (any other node where empty) after the effect of `step`."""
    before = ctx.results[step]["before"]
    group = describe(ctx)
    primary = primary_of(ctx, group)
    if primary and primary != before["primary"]:
        return _moved(before["primary"], primary, wanted)
    told = messages_since(ctx.environment, GROUP, ctx.target, before)
    done = [message for message in told if message.startswith("Failover from primary") and "completed" in message]
    if done:
        return Progress(verdict=Verdict.DONE, sentence=f"ElastiCache says: {done[-1]}.")
    sentence = f"ElastiCache says {group.status}" + (f": {told[-1]}" if told else "")
    return Progress(verdict=Verdict.NOT_YET, sentence=sentence)


def _moved(former: str, primary: str, wanted: str) -> Progress:
    if wanted and primary != wanted:
        return Progress(verdict=Verdict.FAILED, sentence=f"{primary} became the primary instead of {wanted}.")
    return Progress(verdict=Verdict.DONE, sentence=f"The primary moved from {former} to {primary}.")


def primary_of(ctx: Context, group: Group) -> str:
    """The primary node of the declared node group; empty in cluster mode, where AWS does not tell."""
    declared = ctx.environment.cache.node_group_id
    return next((node.id for node in group.nodes if node.role == "primary" and node.node_group == declared), "")
