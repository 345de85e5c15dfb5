"""The violations of the policy as the dashboard watches them: one number each, and the rule that makes it an alert."""

from datetime import datetime

from django.urls import reverse

from backups import policy
from backups.policy import OK, Standing
from novaops.environment import Environment
from novaops.watching import Note, Told, Watch, Watcher

SECTION = "Backup Strategy: Automated RDS Snapshots"
SOURCE = "RDS backups"


def watches(environment: Environment) -> tuple[Watch, ...]:
    """What is watched of every database's backups."""
    wanted = environment.backups
    return (
        _watch(
            environment,
            key="backup-rpo",
            title="More would be lost than the policy allows",
            unit="s",
            says="The latest moment that can be restored is {value:.0f} s ago; the policy allows {threshold:.0f} s",
            above=wanted.rpo_s,
            for_s=300,
            severity="crit",
            causes=("a database that is not available", "automated backups that are switched off"),
            offers=("create-snapshot",),
        ),
        _watch(
            environment,
            key="backup-window",
            title="No automated snapshot in the last backup window",
            unit="windows",
            says="The last backup window passed without an automated snapshot",
            causes=("a database that was not available in its window", "storage that is full"),
            offers=("create-snapshot",),
        ),
        _watch(
            environment,
            key="backup-retention",
            title="Automated backups are kept too short",
            unit="days",
            says="Automated backups are kept {value:day} less than the policy asks for",
            causes=("a retention that somebody changed",),
        ),
        _watch(
            environment,
            key="backup-unencrypted",
            title="Backups without encryption",
            unit="backups",
            says="{value:.0f} backups are not encrypted",
            causes=("a database that was created without encryption",),
        ),
        _watch(
            environment,
            key="backup-failed",
            title="Snapshots that failed",
            unit="snapshots",
            says="RDS says that {value:snapshot} failed",
            causes=("a key that RDS may not use", "storage that is full"),
            offers=("create-snapshot",),
        ),
        _watch(
            environment,
            key="backup-quota",
            title="Quota of manual snapshots nearly used up",
            unit="%",
            says="{value:.0f} % of the region's manual snapshots are used",
            above=policy.QUOTA_PERCENT,
            causes=("old snapshots that nobody deleted",),
            offers=("delete-snapshots",),
        ),
        _watch(
            environment,
            key="backups-unread",
            title="Backups are not read",
            unit="s",
            says="RDS has not told of the backups for {value:.0f} s",
            above=policy.stale_after_s(environment),
            causes=("RDS does not answer", "the reading role lacks a permission", "no worker reads them"),
        ),
    )


def _watch(
    environment: Environment,
    *,
    key: str,
    title: str,
    unit: str,
    says: str,
    causes: tuple[str, ...],
    above: float = 0,
    for_s: int = 60,
    severity: str = "warn",
    offers: tuple[str, ...] = (),
) -> Watch:
    return Watch(
        key=key,
        title=title,
        unit=unit,
        says=says,
        above=above,
        for_s=for_s,
        severity="crit" if severity == "crit" else "warn",
        section=SECTION,
        causes=causes,
        offers=offers,
        resources=tuple(one.id for one in environment.kept_databases),
    )


def read(environment: Environment, now: datetime) -> Told:
    """Every number by database. Of one that was not read lately only that is told; its other clocks would be wrong."""
    values: dict[tuple[str, str], float] = {}
    found = policy.standings(environment, now)
    for standing in found:
        violated = {one.key: one.value for one in standing.violations}
        for watch in watches(environment):
            if not standing.stale or watch.key == "backups-unread":
                values[watch.series, standing.database.name] = violated.get(watch.key, _calm(watch.key, standing))
    return Told(values=values, notes=tuple(_note(one, environment) for one in found[:1]))


def _calm(key: str, standing: Standing) -> float:
    """The number of what is not violated, where it is more than nothing."""
    if key == "backup-rpo":
        return standing.behind_s or 0.0
    if key == "backup-quota":
        return standing.quota_percent or 0.0
    if key == "backups-unread" and standing.database.read_at:
        return (standing.now - standing.database.read_at).total_seconds()
    return 0.0


def _note(standing: Standing, environment: Environment) -> Note:
    """Nova's last good backup, for the overview."""
    last = standing.last_good
    what = standing.violations[0].sentence if standing.state != OK and standing.violations else ""
    known = f"{last.name} of {standing.database.name}" if last else "none is known"
    return Note(
        label="Last good backup",
        text=f"{known}. {what}" if what else known,
        state=standing.state,
        at=last.created_at if last else None,
        url=f"{reverse('backups:list')}?environment={environment.name}",
    )


WATCHER = Watcher(service="database", source=SOURCE, watches=watches, read=read)
