"""Signs of life of NovaOps' own beat, workers and queues, written by the workers and judged by their silence."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Subquery

from dashboard.models import Pulse

BEAT = "beat"
WORKER, QUEUE = "worker:", "queue:"
# Three pulses of beat are missed by then, and people know within a minute.
SILENT_AFTER = timedelta(seconds=45)
# A worker that was stopped for good is not shown for ever.
FORGOTTEN_AFTER = timedelta(hours=1)


def felt(*, worker: str, beat: bool = False, queue: str = "", delay_s: float | None = None) -> None:
    """Write down, by the database's clock, what one message proves to live."""
    rows: list[tuple[str, float | None]] = [(f"{WORKER}{worker}"[:160], None)]
    if beat:
        rows.append((BEAT, None))
    if queue:
        rows.append((f"{QUEUE}{queue}", delay_s))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO dashboard_pulse (name, at, delay_s) VALUES (%s, clock_timestamp(), %s)"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at, delay_s = excluded.delay_s",
            sorted(rows),
        )


def newest(prefix: str) -> Subquery:
    """The time of the latest pulse whose name begins so, as part of another query; None where there is none."""
    return Subquery(Pulse.objects.filter(name__startswith=prefix).order_by("-at").values("at")[:1])


def silence(beat_at: datetime | None, worker_at: datetime | None, now: datetime) -> str:
    """Which part of NovaOps has gone silent, as a sentence; empty where both live or have never been heard of."""
    if worker_at is not None and now - worker_at > SILENT_AFTER:
        return f"No worker of NovaOps has worked since {worker_at:%H:%M:%S} UTC"
    if beat_at is not None and now - beat_at > SILENT_AFTER:
        return f"The beat of NovaOps has been silent since {beat_at:%H:%M:%S} UTC"
    return ""
