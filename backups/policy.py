"""How backups stand against the policy of their environment, judged from rows alone: states, clocks and violations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, OuterRef, Q, Subquery, Sum

from backups.models import Database, Snapshot
from novaops import words
from novaops.environment import Environment

# The words of the one status vocabulary, the worst first.
CRIT, UNKNOWN, WARN, STALE, OK = "crit", "unknown", "warn", "stale", "ok"
WORST_FIRST = (CRIT, UNKNOWN, WARN, STALE, OK)
# What was not read for so many intervals is stale; its clocks would only show that nobody looked.
STALE_INTERVALS = 3
# An automated snapshot of a large database is finished long after its window (FACTS B3 allows 26 hours in all).
WINDOW_GRACE = timedelta(hours=2)
# How long before its end a snapshot is about to expire.
EXPIRES_SOON = timedelta(days=1)
QUOTA_PERCENT = 90
WINDOW = re.compile(r"([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One way in which backups are not as the policy asks; `value` is by how much, as its rule watches it."""

    key: str
    state: str
    sentence: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the backups of one database stand now.

    `restorable_at` is the latest moment that can be restored: the latest restorable time, or the last good snapshot's
    where no point in time can be. `windows` are the number of snapshots by kind.
    """

    database: Database
    state: str
    stale: bool
    last_good: Snapshot | None
    last_automated_at: datetime | None
    restorable_at: datetime | None
    rpo_s: int
    manual: int
    automated: int
    old: int
    expiring: int
    total_gb: int
    violations: list[Violation]
    now: datetime

    @property
    def behind_s(self) -> float | None:
        """The RPO clock: how much would be lost if the database were gone now; None where nothing is known."""
        return max((self.now - self.restorable_at).total_seconds(), 0.0) if self.restorable_at else None

    @property
    def rpo_percent(self) -> int:
        """How much of what may be lost is used up, 100 at most."""
        return min(int(100 * (self.behind_s or 0) / self.rpo_s), 100)

    @property
    def quota_percent(self) -> float | None:
        """How much of the quota of manual snapshots is used."""
        used, most = self.database.quota_used, self.database.quota_most
        return 100 * used / most if used is not None and most else None


def standings(environment: Environment, now: datetime) -> list[Standing]:
    """Every watched database of the environment, Nova's own first: three queries, however many snapshots there are."""
    there = Q(snapshots__gone_at=None)
    home = there & Q(snapshots__region=environment.region)
    manual = home & Q(snapshots__kind="manual")
    automated = home & Q(snapshots__kind="automated")
    counted = Database.objects.filter(environment=environment.name, left_at=None).annotate(
        manual=Count("snapshots", filter=manual),
        automated=Count("snapshots", filter=automated),
        automated_at=Max("snapshots__created_at", filter=automated & ~Q(snapshots__status="failed")),
        unencrypted=Count("snapshots", filter=there & Q(snapshots__encrypted=False)),
        broken=Count("snapshots", filter=there & Q(snapshots__status="failed")),
        old=Count("snapshots", filter=manual & Q(snapshots__expires_at__lt=now)),
        expiring=Count(
            "snapshots", filter=there & Q(snapshots__expires_at__gte=now, snapshots__expires_at__lt=now + EXPIRES_SOON)
        ),
        total_gb=Sum("snapshots__size_gb", filter=there),
    )
    order = [one.id for one in environment.kept_databases]
    rows = sorted((row for row in counted if row.name in order), key=lambda row: order.index(row.name))
    newest = _newest_good(environment)
    return [_standing(environment, row, newest.get(row.pk), now) for row in rows]


def _newest_good(environment: Environment) -> dict[int, Snapshot]:
    """By database. The index on a database's snapshots by time gives each newest one at once."""
    good = Snapshot.objects.filter(
        database=OuterRef("pk"), region=environment.region, status="available", gone_at=None, created_at__isnull=False
    )
    newest = Subquery(good.order_by("-created_at").values("pk")[:1])
    databases = Database.objects.filter(environment=environment.name, left_at=None).order_by()
    ids = [pk for pk in databases.values_list(newest, flat=True) if pk]
    return {one.database_id: one for one in Snapshot.objects.filter(pk__in=ids).order_by()}


def _standing(environment: Environment, row: Database, last_good: Snapshot | None, now: datetime) -> Standing:
    counted = vars(row)
    stale = _age_s(row, now) > stale_after_s(environment)
    restorable_at = row.latest_restorable_at or (last_good.created_at if last_good else None)
    violations = list(_violations(environment, row, restorable_at, now)) if row.read_at else []
    if stale:
        violations.append(_unread(environment, row, now))
    states = [one.state for one in violations] + ([OK] if row.read_at else [UNKNOWN]) + ([STALE] if stale else [])
    return Standing(
        database=row,
        state=next(state for state in WORST_FIRST if state in states),
        stale=stale,
        last_good=last_good,
        last_automated_at=counted["automated_at"],
        restorable_at=restorable_at if row.read_at else None,
        rpo_s=environment.backups.rpo_s,
        manual=counted["manual"],
        automated=counted["automated"],
        old=counted["old"],
        expiring=counted["expiring"],
        total_gb=counted["total_gb"] or 0,
        violations=sorted(violations, key=lambda one: WORST_FIRST.index(one.state)),
        now=now,
    )


def stale_after_s(environment: Environment) -> float:
    """How old a reading of backups may be."""
    return STALE_INTERVALS * environment.backups.collect_every_s


def _age_s(row: Database, now: datetime) -> float:
    """How long ago it was last read, or named in nova.toml where it never was."""
    return (now - (row.read_at or row.known_since)).total_seconds()


def _unread(environment: Environment, row: Database, now: datetime) -> Violation:
    since = f"not been read since {row.read_at:%d %b %H:%M:%S} UTC" if row.read_at else "never been read"
    return Violation(
        key="backups-unread",
        state=UNKNOWN if _age_s(row, now) > 2 * stale_after_s(environment) else STALE,
        sentence=f"Its backups have {since}. {row.failed}".rstrip(),
        value=_age_s(row, now),
    )


def _violations(
    environment: Environment, row: Database, restorable_at: datetime | None, now: datetime
) -> Iterator[Violation]:
    wanted, counted = environment.backups, vars(row)
    behind_s = (now - (restorable_at or row.created_at or row.known_since)).total_seconds()
    if behind_s > wanted.rpo_s:
        kept = f"It can be restored to {restorable_at:%d %b %H:%M:%S} UTC at the latest" if restorable_at else NOTHING
        yield Violation(key="backup-rpo", state=CRIT, sentence=f"{kept}; {_allowed(wanted.rpo_s)}.", value=behind_s)
    short = wanted.retention_days - row.retention_days
    if short > 0:
        kept = words.counted(row.retention_days, "day")
        sentence = f"Automated backups are kept for {kept}, the policy asks for {wanted.retention_days}."
        if not row.retention_days:
            asked = words.counted(wanted.retention_days, "day")
            sentence = f"Automated backups are switched off, the policy asks for {asked} of them."
        yield Violation(key="backup-retention", state=WARN, sentence=sentence, value=short)
    missed_at = missed_window(row, counted["automated_at"], now)
    if missed_at:
        sentence = f"No automated snapshot was taken in the backup window that began {missed_at:%d %b %H:%M} UTC."
        yield Violation(key="backup-window", state=WARN, sentence=sentence, value=1)
    bare = counted["unencrypted"] + (not row.encrypted)
    if wanted.require_encryption and bare:
        what = (
            "The database is not encrypted"
            if not row.encrypted
            else f"{words.there_are(bare, 'snapshot')} not encrypted"
        )
        yield Violation(key="backup-unencrypted", state=WARN, sentence=f"{what}.", value=bare)
    if counted["broken"]:
        sentence = f"RDS says that {words.counted(counted['broken'], 'snapshot')} failed."
        yield Violation(key="backup-failed", state=WARN, sentence=sentence, value=counted["broken"])
    percent = 100 * row.quota_used / row.quota_most if row.quota_used is not None and row.quota_most else 0.0
    if percent > QUOTA_PERCENT:
        sentence = f"{row.quota_used} of the region's {row.quota_most} manual snapshots are used."
        yield Violation(key="backup-quota", state=WARN, sentence=sentence, value=percent)


NOTHING = "There is nothing that it could be restored from"


def _allowed(rpo_s: int) -> str:
    return f"the policy allows {rpo_s // 60} min" if rpo_s >= 120 else f"the policy allows {rpo_s} s"


def missed_window(row: Database, automated_at: datetime | None, now: datetime) -> datetime | None:
    """The start of the last backup window where it is long over and brought no automated snapshot; None otherwise."""
    if not row.retention_days or not WINDOW.fullmatch(row.window):
        return None
    began, ended = last_window(row.window, now - WINDOW_GRACE)
    there_by_then = row.created_at is None or row.created_at <= began
    # RDS may begin a moment before the window as it names it.
    taken = automated_at is not None and automated_at >= began - (ended - began)
    return began if there_by_then and not taken else None


def last_window(window: str, before: datetime) -> tuple[datetime, datetime]:
    """The last daily window, as in `23:45-00:15` (UTC), that was over by then."""
    match = WINDOW.fullmatch(window)
    if match is None:
        raise ValueError(f"{window!r} is no backup window")
    from_hour, from_minute, to_hour, to_minute = (int(part) for part in match.groups())
    ended = before.replace(hour=to_hour, minute=to_minute, second=0, microsecond=0)
    if ended > before:
        ended -= timedelta(days=1)
    began = ended.replace(hour=from_hour, minute=from_minute)
    return (began if began < ended else began - timedelta(days=1)), ended


def snapshot_state(snapshot: Snapshot, environment: Environment, now: datetime) -> tuple[str, str]:
    """How one snapshot stands: a state of the vocabulary and the word for it."""
    if snapshot.gone_at:
        return UNKNOWN, "Gone"
    if snapshot.database.left_at:
        return UNKNOWN, "Not watched"
    if snapshot.status == "failed":
        return CRIT, "Failed"
    if snapshot.status != "available":
        return "run", f"{snapshot.status.capitalize()} {snapshot.percent} %"
    if environment.backups.require_encryption and not snapshot.encrypted:
        return WARN, "Unencrypted"
    if snapshot.kind == "manual" and snapshot.expires_at and snapshot.expires_at < now:
        return WARN, "Old"
    if snapshot.expires_at and snapshot.expires_at < now + EXPIRES_SOON:
        return STALE, "About to expire"
    return OK, "Good"
