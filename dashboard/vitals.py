"""Whether NovaOps itself lives: its beat, workers, queues, rounds, sweep, database, Redis and audit chain."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.models import Max
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from dashboard import pulses, tiles
from dashboard.models import Pulse, Round
from dashboard.status import State
from novaops import environment as declared
from novaops.audit import chain
from novaops.cloud import watchman
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment
from novaops.runbook.models import Run
from novaops.runbook.states import DRIVEN
from novaops.runbook.tasks import SWEPT_AT

logger = logging.getLogger(__name__)

# A message should be taken within a sweep; beyond the second bound people wait for their runs.
SLOW_QUEUE_S, STUCK_QUEUE_S = 5.0, 30.0
# A run whose time came so long ago has been passed by every sweep.
OVERDUE = timedelta(seconds=60)
SLOW_ANSWER_S = 0.25
TOLD_AT = "watchman-told-at"


@dataclass(frozen=True, kw_only=True)
class Vital:
    """One part of NovaOps: how it is, in a sentence, and when that was seen. `value` is in the unit its key names."""

    key: str
    title: str
    state: State
    sentence: str
    at: datetime | None = None
    value: float | None = None


def read(now: datetime | None = None) -> list[Vital]:
    """Every part; only the database's where it does not answer."""
    now = now or timezone.now()
    database = _database(now)
    if database.state == State.CRIT:
        return [database, _redis(now)]
    rows = list(Pulse.objects.filter(at__gte=now - pulses.FORGOTTEN_AFTER) | Pulse.objects.filter(name=pulses.BEAT))
    felt = {row.name: row for row in rows}
    return [
        database,
        _redis(now),
        _beat(felt, now),
        *_workers(felt, now),
        *_queues(felt, now),
        *_rounds(now),
        _sweep(now),
        _runs(now),
        _chain(now),
        _watchman(now),
    ]


def tell_watchman() -> None:
    """Tell the watchman where one is configured and nothing vital is dead; a failure is logged and tried again."""
    if not settings.WATCHMAN_URL:
        return
    dead = [vital.title for vital in read() if vital.state == State.CRIT]
    if dead:
        logger.warning("The watchman is not told, so that it raises the alarm: %s", ", ".join(dead))
        return
    try:
        watchman.tell(settings.WATCHMAN_URL)
    except OutsideError as failure:
        logger.warning("%s", failure)
        return
    cache.set(TOLD_AT, timezone.now().isoformat(), timeout=None)


def _database(now: datetime) -> Vital:
    started = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as failure:
        sentence = f"It does not answer ({type(failure).__name__})"
        return Vital(key="database_s", title="Database", state=State.CRIT, sentence=sentence, at=now)
    return _answered("database_s", "Database", time.monotonic() - started, now)


def _redis(now: datetime) -> Vital:
    mark, started = now.isoformat(), time.monotonic()
    cache.set("vitals", mark, timeout=10)
    if cache.get("vitals") != mark:
        sentence = "It does not answer: clicks wait for the next sweep, pages are rendered each time"
        return Vital(key="redis_s", title="Redis", state=State.CRIT, sentence=sentence, at=now)
    return _answered("redis_s", "Redis", time.monotonic() - started, now)


def _answered(key: str, title: str, took_s: float, now: datetime) -> Vital:
    state = State.WARN if took_s > SLOW_ANSWER_S else State.OK
    return Vital(key=key, title=title, state=state, sentence=f"Answers in {1000 * took_s:.1f} ms", at=now, value=took_s)


def _beat(felt: dict[str, Pulse], now: datetime) -> Vital:
    return _alive("beat_age_s", "Beat", felt.get(pulses.BEAT), now)


def _workers(felt: dict[str, Pulse], now: datetime) -> Iterator[Vital]:
    """Every worker of the last hour; one that is silent is a warning while another works."""
    found = [row for name, row in sorted(felt.items()) if name.startswith(pulses.WORKER)]
    anybody = any(now - row.at <= pulses.SILENT_AFTER for row in found)
    if not found:
        yield _alive("worker_age_s", "Worker", None, now)
    for row in found:
        vital = _alive("worker_age_s", f"Worker {row.name.removeprefix(pulses.WORKER)}", row, now, others=anybody)
        yield vital


def _alive(key: str, title: str, row: Pulse | None, now: datetime, *, others: bool = False) -> Vital:
    if row is None:
        return Vital(key=key, title=title, state=State.CRIT, sentence="It has not been heard of in the last hour")
    age_s = max((now - row.at).total_seconds(), 0.0)
    silent = age_s > pulses.SILENT_AFTER.total_seconds()
    state = (State.WARN if others else State.CRIT) if silent else State.OK
    sentence = f"Silent for {age_s:.0f} s" if silent else "Lives"
    return Vital(key=key, title=title, state=state, sentence=sentence, at=row.at, value=age_s)


def _queues(felt: dict[str, Pulse], now: datetime) -> Iterator[Vital]:
    for name in ("runs", "watch"):
        row = felt.get(f"{pulses.QUEUE}{name}")
        yield _queue(name, row, now)


def _queue(name: str, row: Pulse | None, now: datetime) -> Vital:
    title, key = f"Queue {name}", "queue_s"
    if row is None or row.delay_s is None or now - row.at > pulses.SILENT_AFTER:
        sentence = "Nothing has gone through it lately"
        return Vital(key=key, title=title, state=State.CRIT, sentence=sentence, at=row.at if row else None)
    waits_s = row.delay_s
    state = State.CRIT if waits_s > STUCK_QUEUE_S else State.WARN if waits_s > SLOW_QUEUE_S else State.OK
    return Vital(
        key=key, title=title, state=state, sentence=f"A message waits {waits_s:.2f} s", at=row.at, value=waits_s
    )


def _rounds(now: datetime) -> Iterator[Vital]:
    newest = dict(Round.objects.values_list("environment").annotate(newest=Max("finished_at")))
    rows = {
        row.environment: row
        for row in Round.objects.filter(finished_at__in=newest.values())
        if newest[row.environment] == row.finished_at
    }
    for name, environment in declared.environments().items():
        yield _round(environment, rows.get(name), now)


def _round(environment: Environment, row: Round | None, now: datetime) -> Vital:
    title, key = f"Collection of {environment.title}", "round_s"
    if row is None:
        return Vital(key=key, title=title, state=State.CRIT, sentence="No round yet")
    lately = tiles.collected_lately(environment, row.started_at, now)
    sentence = f"{row.samples} samples of {row.sources} sources in {row.took_s:.1f} s"
    if row.failed:
        sentence = f"{sentence}; {len(row.failed)} did not answer: {row.failed[0]}"
    state = State.CRIT if not lately else State.WARN if row.failed else State.OK
    return Vital(key=key, title=title, state=state, sentence=sentence, at=row.finished_at, value=row.took_s)


def _sweep(now: datetime) -> Vital:
    at = parse_datetime(str(cache.get(SWEPT_AT) or ""))
    if at is None:
        sentence = "Not known: Redis does not tell when it last ran"
        return Vital(key="sweep_age_s", title="Sweep", state=State.UNKNOWN, sentence=sentence)
    age_s = max((now - at).total_seconds(), 0.0)
    late = age_s > pulses.SILENT_AFTER.total_seconds()
    sentence = "Nobody looks for runs that are due" if late else "Looks for runs that are due"
    state = State.CRIT if late else State.OK
    return Vital(key="sweep_age_s", title="Sweep", state=state, sentence=sentence, at=at, value=age_s)


def _runs(now: datetime) -> Vital:
    overdue = Run.objects.filter(status__in=DRIVEN, next_at__lt=now - OVERDUE).count()
    sentence = f"{overdue} are overdue by more than {OVERDUE.seconds} s" if overdue else "None is overdue"
    state = State.CRIT if overdue else State.OK
    return Vital(key="runs_overdue", title="Runs", state=state, sentence=sentence, at=now, value=overdue)


def _chain(now: datetime) -> Vital:
    seq, digest = chain.head()
    sentence = f"Entry {seq}, {digest[:16]}"
    return Vital(key="audit_entries", title="Audit chain", state=State.OK, sentence=sentence, at=now, value=seq)


def _watchman(now: datetime) -> Vital:
    title, key = "Watchman", "watchman_age_s"
    if not settings.WATCHMAN_URL:
        sentence = "Nobody outside watches NovaOps: set NOVAOPS_WATCHMAN_URL"
        return Vital(key=key, title=title, state=State.UNKNOWN, sentence=sentence)
    at = parse_datetime(str(cache.get(TOLD_AT) or ""))
    if at is None:
        return Vital(key=key, title=title, state=State.UNKNOWN, sentence="Not told yet")
    age_s = max((now - at).total_seconds(), 0.0)
    state = State.OK if age_s < 180 else State.WARN
    return Vital(key=key, title=title, state=state, sentence="Told that NovaOps lives", at=at, value=age_s)
