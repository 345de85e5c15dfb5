"""Rehearsed restores: started when they are due, told with their trend, and certified."""

import logging
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Min
from django.urls import reverse

from backups import beside
from backups.contents import told
from backups.models import Database, Restore
from novaops import environment as environments
from novaops.audit import chain
from novaops.environment import Environment
from novaops.runbook import planning, requests
from novaops.runbook.models import Run
from novaops.runbook.registry import actions
from novaops.runbook.states import ACTIVE
from novaops.watching import Told, Watch, Watcher

logger = logging.getLogger(__name__)

KEY = "restore-drill"
REASON = "Rehearsed as nova.toml asks for"
SECTION = "Backup Strategy: Restore from Snapshot"
DAY_S = 86400.0
# A restored instance that nobody uses may be looked into for a day before it is told of.
LEFT_OVER_FOR_S = 86400


def every(environment: Environment) -> timedelta | None:
    """How often a restore must be rehearsed; None where nobody asks for it."""
    days = environment.backups.drill_every_days
    return timedelta(days=days) if days else None


def last(environment: Environment, *, proven: bool = False) -> Restore | None:
    """The newest drill that is over, or the newest that was proven."""
    found = Restore.objects.filter(environment=environment.name, drill=True)
    wanted = found.filter(state=Restore.State.PROVEN) if proven else found.exclude(state=Restore.State.UNDER_WAY)
    return wanted.first()


def due_at(environment: Environment) -> datetime | None:
    """When the next drill is due; None where none is asked for, or nothing is known of backups yet.

    Before the first drill that is counted from when backups were first read.
    """
    pause, newest = every(environment), last(environment, proven=True)
    if pause is None:
        return None
    if newest:
        return newest.asked_at + pause
    first = Database.objects.filter(environment=environment.name, left_at=None).aggregate(at=Min("known_since"))["at"]
    return first + pause if first else None


def start_due(environment: Environment, now: datetime) -> Run | None:
    """Start a drill where one is due and none is under way, in the name of the account that nova.toml names."""
    due = due_at(environment)
    if (
        due is None
        or due > now
        or Run.objects.filter(environment=environment.name, action=KEY, status__in=ACTIVE).exists()
    ):
        return None
    by = User.objects.filter(username=environment.database.restores.drill_by or "").first()
    if by is None:
        logger.warning("A drill of %s is due, but restores.drill_by names no account", environment.name)
        return None
    return _start(environment, by, now)


def _start(environment: Environment, by: User, now: datetime) -> Run | None:
    action = actions[KEY]()
    (target,) = action.targets(environment)
    plan = planning.draft(action, environment, target, {}, by=by, incident=None)
    planning.resolve(plan)
    key = f"drill:{environment.name}:{now:%Y-%m-%dT%H}"
    try:
        return requests.request(plan, by=by, reason=REASON, idempotency_key=key, via="schedule")
    except requests.NotStarted as refusal:
        logger.warning("A drill of %s was not started: %s", environment.name, refusal)
        return None


def watches(environment: Environment) -> tuple[Watch, ...]:
    """A drill that failed, one that is overdue, and what restores left behind."""
    left = Watch(
        key="restored-left-over",
        title="A restored instance that nobody uses",
        unit="instances",
        says="{value:.0f} restored instances are there that nobody uses: they cost money",
        above=0,
        for_s=LEFT_OVER_FOR_S,
        severity="warn",
        section=SECTION,
        causes=("a restore that was not cut over to", "a drill that failed before it deleted its instance"),
    )
    if every(environment) is None:
        return (left,)
    failed = Watch(
        key="drill-failed",
        title="The last restore drill failed",
        unit="drills",
        says="The last rehearsed restore failed: nobody knows whether the backups can be restored",
        above=0,
        for_s=0,
        severity="crit",
        section=SECTION,
        causes=("a snapshot that cannot be restored", "a database that does not answer", "a quota that is full"),
        offers=(KEY,),
    )
    overdue = Watch(
        key="drill-overdue",
        title="A restore drill is overdue",
        unit="days",
        says="A restore should have been rehearsed {value:.1f} days ago",
        above=0,
        for_s=3600,
        severity="warn",
        section=SECTION,
        causes=("an account in restores.drill_by that may not rehearse", "drills that fail", "no worker or beat"),
        offers=(KEY,),
    )
    return (failed, overdue, left)


def read(environment: Environment, now: datetime) -> Told:
    """The numbers, and a line for the overview with the last proven drill."""
    left = sum(one.left_over for one in beside.standings(environment))
    values: dict[tuple[str, str], float] = {("restored_left_over", ""): left}
    if every(environment) is None:
        return Told(values=values)
    newest, due = last(environment), due_at(environment)
    values["drill_failed", ""] = float(newest is not None and newest.state == Restore.State.FAILED)
    values["drill_overdue", ""] = max(0.0, (now - due).total_seconds() / DAY_S) if due else 0.0
    return Told(values=values)


def certificate(record: Restore) -> str:
    """What a drill proved, as Markdown for an auditor: what was restored, what was in it, how long it took."""
    environment = environments.get(record.environment)
    seq, digest = chain.head()
    rows = [_row(table) for table in record.tables]
    return "\n".join(
        [
            f"# Restore {'drill' if record.drill else 'record'} {record.pk}: {record.get_state_display().lower()}",
            "",
            f"- Environment: {environment.title if environment else record.environment}",
            f"- Source: {record.source}" + (f", data of {told(record.source_at)}" if record.source_at else ""),
            f"- Restored into: `{record.instance}`",
            f"- Asked for: {told(record.asked_at)} by {record.run.requested_by}: {record.run.reason}",
            f"- Available in RDS: {told(record.available_at) if record.available_at else 'never'}",
            f"- Proven: {told(record.proven_at) if record.proven_at else 'no'}",
            f"- RTO, from asking to {'the cut-over' if record.used_at else 'proven'}: {_seconds(record.rto_s)}",
            f"- RPO, from the newest restored row to the newest of production then: {_seconds(record.rpo_s)}",
            f"- Lost: {record.loss}",
            f"- PostgreSQL: {record.version or 'not asked'}; {_schema(record.same_schema)}",
            f"- Outcome: {record.sentence}",
            "",
            "| Table | Rows | Newest row | Rows of production not in it | From | Until |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"Run {record.run_id} ({reverse('runbook:run', args=[record.run_id])}); every step of it is in the audit",
            f"chain, whose head was {seq}:{digest} when this was written.",
            "",
        ]
    )


def _row(table: dict[str, object]) -> str:
    cells = ("name", "rows", "newest_at", "lost_rows", "lost_from", "lost_until")
    return "| " + " | ".join("" if table[cell] is None else str(table[cell]) for cell in cells) + " |"


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f} s"


def _schema(same: bool | None) -> str:
    if same is None:
        return "columns not compared"
    return "each column as in production" if same else "columns differ from production's"


WATCHER = Watcher(service="database", source="Restore drills", watches=watches, read=read)
