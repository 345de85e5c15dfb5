"""One round over the backups of an environment: ask RDS of every watched database, and keep what it tells."""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from backups import beside, origin
from backups.models import Database, Lease, Snapshot
from novaops import live
from novaops.cloud import rds_backups
from novaops.cloud.errors import OutsideError, Refused
from novaops.cloud.rds_backups import Kept, Quota
from novaops.cloud.rds_restores import Restored
from novaops.cloud.rds_snapshots import Snapshot as Told
from novaops.environment import Environment, KeptDatabase

logger = logging.getLogger(__name__)

# So many databases are asked of at the same time: a round must be over within a task's time though AWS hangs.
MOST_AT_ONCE = 10
COLUMNS = (
    "arn", "kind", "status", "percent", "created_at", "expires_at", "size_gb", "engine_version", "encrypted", "kms_key",
    "copied_from", "tags", "run", "taken_by", "reason", "deployment", "read_at", "gone_at",
)  # fmt: skip


@dataclass(kw_only=True)
class Heard:
    """What a round heard of one database; `regions` are those whose snapshots were told."""

    declared: KeptDatabase
    kept: Kept | None = None
    earliest_at: datetime | None = None
    quota: Quota | None = None
    snapshots: dict[str, list[Told]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a round came to."""

    databases: int
    snapshots: int
    failed: list[str]


def topic(environment: str) -> str:
    """What open pages about the backups of an environment follow."""
    return f"backups:{environment}"


def collect(environment: Environment, *, early: bool = False) -> Round | None:
    """Make one round where the environment is due (or `early`) and nobody else is at it; None otherwise."""
    token = Lease.claim(environment.name, environment.backups.collect_every_s, early=early)
    if not token:
        return None
    try:
        at = timezone.now()
        heard = _ask_all(environment)
        restored = _ask_for_restored(environment)
        with transaction.atomic():
            if not Lease.held(environment.name, token):
                return None
            if restored is not None:
                beside.keep(environment, restored, at)
            return _keep(environment, heard, at)
    finally:
        Lease.release(environment.name, token)


def _ask_all(environment: Environment) -> list[Heard]:
    """Every database at once: one whose answers are long in coming does not keep the others waiting."""
    with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="backups") as pool:
        return list(pool.map(partial(_ask, environment), environment.kept_databases))


def _ask(environment: Environment, declared: KeptDatabase) -> Heard:
    """Everything of one database; what does not answer leaves the rest, but nobody waits for a silent AWS twice."""
    heard = Heard(declared=declared)
    kind, name = declared.kind, declared.id
    try:
        heard.kept = rds_backups.describe(environment, kind, name)
        heard.earliest_at = rds_backups.earliest_restorable_at(environment, kind, name)
        heard.quota = rds_backups.quota(environment, kind)
    except OutsideError as failure:
        heard.failed.append(str(failure))
        if not isinstance(failure, Refused):
            return heard
    for region in filter(None, (environment.region, environment.backups.copy_to_region)):
        try:
            heard.snapshots[region] = rds_backups.snapshots_of(environment.in_region(region), kind, name)
        except OutsideError as failure:
            heard.failed.append(f"{region}: {failure}")
    return heard


def _ask_for_restored(environment: Environment) -> list[Restored] | None:
    """The restored instances; None where RDS does not answer, which the databases themselves tell of."""
    try:
        return beside.ask(environment)
    except OutsideError as failure:
        logger.warning("Asking %s for restored instances: %s", environment.name, failure)
        return None


def _keep(environment: Environment, heard: Iterable[Heard], at: datetime) -> Round:
    heard = list(heard)
    left = Database.objects.filter(environment=environment.name, left_at=None)
    left.exclude(name__in=[one.declared.id for one in heard]).update(left_at=at)
    for one in heard:
        database = _keep_database(environment, one, at)
        for region, told in one.snapshots.items():
            _keep_snapshots(environment, database, region, told, at)
    live.publish(topic(environment.name))
    return Round(
        databases=len(heard),
        snapshots=sum(len(told) for one in heard for told in one.snapshots.values()),
        failed=sorted({f"{one.declared.id}: {sentence}" for one in heard for sentence in one.failed}),
    )


def _keep_database(environment: Environment, heard: Heard, at: datetime) -> Database:
    told: dict[str, object] = {"kind": heard.declared.kind, "asked_at": at, "failed": "; ".join(heard.failed)}
    told["left_at"] = None
    if heard.kept:
        names = ("status", "engine", "storage_gb", "encrypted", "multi_az", "retention_days", "window", "created_at")
        told |= {name: getattr(heard.kept, name) for name in (*names, "latest_restorable_at")}
        told |= {"earliest_restorable_at": heard.earliest_at}
    if heard.quota:
        told |= {"quota_used": heard.quota.used, "quota_most": heard.quota.most}
    # A silent region of copies is told of, and makes nothing here old.
    if heard.kept and environment.region in heard.snapshots:
        told["read_at"] = at
    database, _ = Database.objects.update_or_create(environment=environment.name, name=heard.declared.id, defaults=told)
    return database


def _keep_snapshots(environment: Environment, database: Database, region: str, told: list[Told], at: datetime) -> None:
    """Write what RDS lists; what it does not list any more is gone."""
    days = {"automated": database.retention_days, "manual": environment.backups.keep_manual_days}
    rows = [_row(database, region, one, days.get(one.kind, 0), at) for one in told]
    Snapshot.objects.bulk_create(
        rows,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["database", "region", "name"],
        update_fields=COLUMNS,
    )
    known = Snapshot.objects.filter(database=database, region=region, gone_at=None)
    known.filter(read_at__lt=at).update(gone_at=at)


def _row(database: Database, region: str, told: Told, keep_days: int, at: datetime) -> Snapshot:
    return Snapshot(
        database=database,
        region=region,
        name=told.id,
        arn=told.arn,
        kind=told.kind,
        status=told.status,
        percent=told.percent,
        created_at=told.created_at,
        expires_at=told.created_at + timedelta(days=keep_days) if told.created_at and keep_days else None,
        size_gb=told.size_gb,
        engine_version=told.engine_version,
        encrypted=told.encrypted,
        kms_key=told.kms_key,
        copied_from=told.copied_from,
        tags=told.tags,
        first_seen_at=at,
        read_at=at,
        **origin.of(told.tags),
    )
