"""Set what Redis does when its memory is full."""

from collections.abc import Iterable
from typing import Any

from django import forms

from dashboard import redis_groups
from novaops.cloud import elasticache, nova_redis
from novaops.cloud.errors import OutsideError
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
    Verify,
    Wait,
)
from novaops.runbook.registry import register

PARAMETER = "maxmemory-policy"
POLICIES = {
    "allkeys-lru": "evict the least recently used keys: for general caching",
    "allkeys-lfu": "evict the least often used keys",
    "allkeys-random": "evict any keys",
    "volatile-lru": "evict the least recently used of those that expire",
    "volatile-lfu": "evict the least often used of those that expire",
    "volatile-random": "evict any of those that expire",
    "volatile-ttl": "evict those that expire soonest",
    "noeviction": "refuse writes when full: for queues, never for a cache",
}


class PolicyForm(forms.Form):
    """Which policy."""

    policy = forms.ChoiceField(
        choices=[(name, f"{name}: {words}") for name, words in POLICIES.items()],
        label="maxmemory-policy",
        help_text="The runbook asks for allkeys-lru.",
    )


@register
class SetRedisMaxmemoryPolicy(Action):
    """Set maxmemory-policy in the group's parameter group; a default one is replaced by one of Nova's own first."""

    key = "set-redis-maxmemory-policy"
    title = "Set Redis maxmemory-policy"
    service = "cache"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Common Alert Runbooks: Redis Evictions"
    iam_permissions = (
        "elasticache:CreateCacheParameterGroup",
        "elasticache:ModifyCacheParameterGroup",
        "elasticache:ModifyReplicationGroup",
        "elasticache:DescribeReplicationGroups",
        "elasticache:DescribeCacheClusters",
        "elasticache:DescribeCacheParameterGroups",
        "elasticache:DescribeCacheParameters",
    )
    expected_s = 60.0
    affects = "Takes effect at once and cuts nobody: from then on other keys are evicted when memory is full."
    undo = "Set the policy of before. A parameter group that was made for this stays in use."
    form = PolicyForm

    def look(self, ctx: Context) -> dict[str, Any]:
        """The parameter group in use, who shares it, and the one of Nova's own that would replace a default one."""
        nodes = elasticache.cache_clusters(ctx.environment)
        used = {node.parameter_group for node in nodes if node.group == ctx.target}
        name = min(used, default="")
        in_use = elasticache.parameter_group(ctx.environment, name)
        own = f"{ctx.target}-{in_use.family.replace('.', '-')}" if in_use.is_default else name
        exists = elasticache.has_parameter_group(ctx.environment, own)
        others = {node.group or node.id for node in nodes if node.parameter_group == own} - {ctx.target}
        return {
            "status": redis_groups.describe(ctx).status,
            "in_use": sorted(used),
            "is_default": in_use.is_default,
            "family": in_use.family,
            "policy": in_use.values.get(PARAMETER, ""),
            "own": own,
            "own_exists": exists,
            "own_sets": sorted(elasticache.parameter_group(ctx.environment, own).own) if exists else [],
            "others": sorted(others),
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """It is another policy than now, and what else would change is said."""
        facts, policy = ctx.facts, ctx.params["policy"]
        yield redis_groups.is_available(ctx)
        yield Precheck.require(
            len(facts["in_use"]) == 1,
            f"Every node uses {facts['in_use'][0]}.",
            f"Its nodes use different parameter groups ({', '.join(facts['in_use'])}): look at ElastiCache.",
        )
        yield Precheck.require(
            facts["policy"] != policy, f"Now it is {facts['policy']}.", f"The policy is {policy} already."
        )
        if facts["others"]:
            sentence = f"{facts['own']} is shared: {', '.join(facts['others'])} will change too."
            yield Precheck(state="warning", sentence=sentence)
        besides = ", ".join(name for name in facts["own_sets"] if name != PARAMETER)
        if facts["is_default"] and besides:
            yield Precheck(state="warning", sentence=f"{facts['own']} exists and also sets {besides}.")
        if policy == "noeviction":
            yield Precheck(state="warning", sentence="When memory is full, writes will fail instead of evicting keys.")

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The policy, and the parameter group where a default one is in use."""
        facts = ctx.facts
        yield Change(what=PARAMETER, before=facts["policy"], after=ctx.params["policy"])
        if facts["is_default"]:
            yield Change(what="Parameter group", before=facts["in_use"][0], after=facts["own"])

    def inverse(self, ctx: Context) -> Inverse | None:
        """The policy of before."""
        before = ctx.facts["policy"]
        return Inverse(action=self.key, params={"policy": before}, sentence=f"Set {PARAMETER} back to {before}")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Create a parameter group where needed, set the value, attach it, and verify by Redis's own word."""
        facts, policy = ctx.facts, ctx.params["policy"]
        if facts["is_default"] and not facts["own_exists"]:
            yield _create(facts["own"], facts["family"], ctx.target)
        yield _set(facts["own"], policy)
        if facts["is_default"]:
            yield _attach(facts["own"], ctx.target)
        yield Wait(
            key="applied", title="Every node applies it", look=lambda now: _applied(now, facts["own"]), timeout_s=900
        )
        yield Verify(key="policy", title="Redis has it", look=lambda now: _holds(now, policy), timeout_s=300)


def _create(name: str, family: str, group: str) -> Effect:
    return Effect(
        key="create",
        title=f"Create the parameter group {name}",
        call=elasticache.CREATE_PARAMETER_GROUP,
        params={
            "CacheParameterGroupName": name,
            "CacheParameterGroupFamily": family,
            "Description": f"Parameters of {group}",
        },
        repeat=Repeat.NAMED,
        before=lambda _: {},
        observe=lambda ctx, _before: (
            Seen(sentence=f"{name} exists") if elasticache.has_parameter_group(ctx.environment, name) else None
        ),
    )


def _set(name: str, policy: str) -> Effect:
    return Effect(
        key="set",
        title=f"Set {PARAMETER} to {policy} in {name}",
        call=elasticache.MODIFY_PARAMETER_GROUP,
        params={
            "CacheParameterGroupName": name,
            "ParameterNameValues": [{"ParameterName": PARAMETER, "ParameterValue": policy}],
        },
        repeat=Repeat.CONVERGING,
        before=lambda ctx: {"policy": _value(ctx, name)},
        observe=lambda ctx, _before: Seen(sentence=f"{name} has it") if _value(ctx, name) == policy else None,
    )


def _value(ctx: Context, name: str) -> str:
    return elasticache.parameter_group(ctx.environment, name).values.get(PARAMETER, "")


def _attach(name: str, group: str) -> Effect:
    return Effect(
        key="attach",
        title=f"Let {group} use {name}",
        call=elasticache.MODIFY_GROUP,
        params={"ReplicationGroupId": group, "CacheParameterGroupName": name, "ApplyImmediately": True},
        repeat=Repeat.CONVERGING,
        before=lambda ctx: {"status": redis_groups.describe(ctx).status},
        observe=lambda ctx, _before: _attaching(ctx, name),
    )


def _attaching(ctx: Context, name: str) -> Seen | None:
    status = redis_groups.describe(ctx).status
    if status == "modifying" or all(node.parameter_group == name for node in _nodes(ctx)):
        return Seen(sentence=f"The group is {status}")
    return None


def _nodes(ctx: Context) -> list[elasticache.CacheCluster]:
    return [node for node in elasticache.cache_clusters(ctx.environment) if node.group == ctx.target]


def _applied(ctx: Context, name: str) -> Progress:
    nodes, status = _nodes(ctx), redis_groups.describe(ctx).status
    done = [node for node in nodes if (node.parameter_group, node.apply_status) == (name, "in-sync")]
    sentence = f"{len(done)} of {len(nodes)} nodes are in sync with {name}; the group is {status}"
    over = len(done) == len(nodes) and status == redis_groups.AVAILABLE
    return Progress(verdict=Verdict.DONE if over else Verdict.NOT_YET, sentence=sentence)


def _holds(ctx: Context, policy: str) -> Progress:
    cache = ctx.environment.cache
    if not cache.url:
        sentence = f"ElastiCache says in-sync. Redis was not asked: {cache.url_env} is not set."
        return Progress(verdict=Verdict.DONE, sentence=sentence)
    try:
        told = nova_redis.info(cache.url).policy
    except OutsideError as failure:
        return Progress(verdict=Verdict.NOT_YET, sentence=str(failure))
    verdict = Verdict.DONE if told == policy else Verdict.NOT_YET
    return Progress(verdict=verdict, sentence=f"Redis says {PARAMETER} {told}.")
