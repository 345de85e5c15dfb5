"""Find the keys that take most of Redis's memory."""

from collections.abc import Iterable
from typing import Any

from django.template.defaultfilters import filesizeformat

from dashboard import redis_groups
from novaops.cloud import nova_redis, redis_keys
from novaops.runbook.action import Action, AnyStep, Change, Context, Precheck, Progress, Risk, Verdict, Wait
from novaops.runbook.registry import register


@register
class RedisBiggestKeys(Action):
    """Look for the biggest keys by SCAN and MEMORY USAGE, for five seconds at most; it only reads."""

    key = "redis-biggest-keys"
    title = "Find the biggest Redis keys"
    service = "cache"
    risk = Risk.SAFE
    runbook_section = "Common Alert Runbooks: Redis Evictions"
    iam_permissions = ("elasticache:DescribeReplicationGroups",)
    expected_s = 5.0
    affects = "Nobody: it only reads, 200 keys at a time with pauses, for five seconds at most."
    undo = "Nothing to undo: nothing is changed."

    def look(self, ctx: Context) -> dict[str, Any]:
        """Whether Redis can be asked."""
        status = redis_groups.describe(ctx).status
        return {"status": status, "role": nova_redis.info(ctx.environment.cache.url).role}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """It answers."""
        yield Precheck(state="passed", sentence=f"Redis answers as {ctx.facts['role']}.")

    def changes(self, ctx: Context) -> Iterable[Change]:
        """Nothing."""
        return ()

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """One bounded scan."""
        yield Wait(key="scan", title="Look at the keys", look=_scan, timeout_s=60)


def _scan(ctx: Context) -> Progress:
    found = redis_keys.biggest(ctx.environment.cache.url)
    return Progress(verdict=Verdict.DONE, sentence=_sentence(found), result={"table": _table(found)})


def _sentence(found: redis_keys.Scan) -> str:
    if not found.scanned:
        return "There are no keys."
    seen = f"All {found.scanned} keys" if found.complete else f"{found.scanned} of about {found.total} keys"
    kinds = sorted(found.by_type.items(), key=lambda kind: -kind[1][1])
    parts = ", ".join(f"{number} of type {kind} with {_size(size)}" for kind, (number, size) in kinds)
    top = found.biggest[0]
    return f"{seen} were looked at: {parts}. The biggest is {top.name} ({top.type}) with {_size(top.size)}."


def _table(found: redis_keys.Scan) -> dict[str, Any]:
    columns = ["Key", "Type", "Memory"]
    cells = [(key.name, key.type, _size(key.size)) for key in found.biggest]
    return {"columns": columns, "rows": [list(map(list, zip(columns, row, strict=True))) for row in cells]}


def _size(size: int) -> str:
    return filesizeformat(size).replace("\xa0", " ")
