"""Which old manual snapshots may be deleted, and why the others may not."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from backups import claims
from backups.claims import Claim
from backups.names import RUN_TAG
from backups.origin import KEEP_TAG
from novaops.cloud import rds_backups
from novaops.cloud.errors import Refused
from novaops.cloud.rds_snapshots import Snapshot
from novaops.environment import Environment
from novaops.runbook.action import Context

# So many in one run; the others wait for the next one.
MOST = 20


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which are to be deleted: those older than `before`, or the one `named`; `foreign` also those of others."""

    before: datetime
    named: str = ""
    foreign: bool = False


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """The snapshots that may be deleted, oldest first, and why others that are old or named may not."""

    free: list[Snapshot]
    spared: dict[str, str]


def sort(known: list[Snapshot], claimed: Mapping[str, list[Claim]], wanted: Wanted) -> Sorted:
    """Judge every manual snapshot that is old or named. `known` are all of the database, automated ones too."""
    newest = {one.id for one in _newest(known)}
    free: list[Snapshot] = []
    spared: dict[str, str] = {}
    for one in sorted(_candidates(known, wanted), key=lambda one: (one.created_at is not None, one.created_at)):
        why = _why_not(one, newest, claimed.get(one.id, []), wanted)
        if why:
            spared[one.id] = why
        else:
            free.append(one)
    return Sorted(free=free, spared=spared)


def _candidates(known: Iterable[Snapshot], wanted: Wanted) -> Iterator[Snapshot]:
    for one in known:
        old = one.created_at is not None and one.created_at < wanted.before
        if one.kind == "manual" and (one.id == wanted.named if wanted.named else old):
            yield one


def _newest(known: Iterable[Snapshot]) -> Iterator[Snapshot]:
    """The newest good one of all, and the newest good one of the manual ones: neither is ever deleted."""
    good = [one for one in known if one.status == "available" and one.created_at]
    for some in (good, [one for one in good if one.kind == "manual"]):
        if some:
            yield max(some, key=lambda one: one.created_at.timestamp() if one.created_at else 0.0)


def _why_not(one: Snapshot, newest: set[str], claimed: list[Claim], wanted: Wanted) -> str:
    if one.status not in ("available", "failed"):
        return f"it is {one.status}"
    if one.id in newest:
        return "it is the newest"
    if claimed:
        return claimed[0].sentence
    if KEEP_TAG in one.tags:
        return f"it is tagged {KEEP_TAG}"
    if RUN_TAG not in one.tags and not wanted.foreign:
        return "NovaOps did not take it"
    return ""


def still_free(name: str, ctx: Context) -> None:
    """Raise Refused where somebody has come to need the snapshot since the plan."""
    claimed = claims.of(ctx.environment).get(name)
    if claimed:
        raise Refused(f"{name} is needed by now: {claimed[0].sentence}")


def is_gone(name: str, place: Environment, kind: str) -> bool:
    """Whether RDS has it no more there, or is about to have it no more."""
    found = rds_backups.snapshot(place, kind, name)
    return found is None or found.status in ("deleting", "deleted")
