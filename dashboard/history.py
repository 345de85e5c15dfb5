"""The past of series: which stretch was asked for, at which resolution, and its values in columns of equal steps."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils.dateparse import parse_datetime

from dashboard import partitions
from dashboard.partitions import Table

DEFAULT = timedelta(hours=1)
LONGEST = timedelta(days=400)
MOST_POINTS = 3000
# As many points as a chart is wide: what is finer is averaged.
POINTS = 1440
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
RAW_STEPS_S = (5, 10, 15, 30, 60)
COARSE = {"5min": (partitions.FIVE_MINUTES, 300), "hour": (partitions.HOURS, 3600)}
RESOLUTIONS = ("raw", *COARSE)
# Up to which length which resolution is chosen where none is asked for.
CHOSEN = ((timedelta(hours=24), "raw"), (timedelta(days=7), "5min"), (LONGEST, "hour"))
TIMES = "Write a time as 2026-11-25T10:00:00Z, as seconds since 1970, or as -24h before the end."

Column = list[float | None]


class BadStretchError(ValueError):
    """What was asked for cannot be answered; the message is a sentence for whoever asked."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of time in bins of `step_s`, the first of which begins at `since`; read from `table`."""

    since: datetime
    until: datetime
    step_s: int
    resolution: str

    @property
    def table(self) -> Table:
        return COARSE[self.resolution][0] if self.resolution in COARSE else partitions.SAMPLES

    @property
    def t0(self) -> int:
        return int(self.since.timestamp())

    @property
    def bins(self) -> int:
        return math.ceil((self.until - self.since).total_seconds() / self.step_s)

    def at(self, index: int) -> datetime:
        """When the bin of that number begins."""
        return self.since + timedelta(seconds=index * self.step_s)


@dataclass(frozen=True, kw_only=True)
class Range:
    """A range that a page offers. Its tables have a row every `step_s`; charts are finer (`asked`)."""

    title: str
    length: timedelta
    resolution: str
    step_s: int

    def stretch(self, now: datetime) -> Stretch:
        """The range until now, in the steps of a table."""
        first = (now - self.length).timestamp() // self.step_s * self.step_s
        since = datetime.fromtimestamp(first, UTC)
        return Stretch(since=since, until=now, step_s=self.step_s, resolution=self.resolution)


RANGES = {
    "1h": Range(title="1 hour", length=timedelta(hours=1), resolution="raw", step_s=60),
    "6h": Range(title="6 hours", length=timedelta(hours=6), resolution="5min", step_s=300),
    "24h": Range(title="24 hours", length=timedelta(hours=24), resolution="5min", step_s=900),
    "7d": Range(title="7 days", length=timedelta(days=7), resolution="hour", step_s=7200),
    "30d": Range(title="30 days", length=timedelta(days=30), resolution="hour", step_s=21600),
}


def asked(params: Mapping[str, str], now: datetime, period_s: int) -> Stretch:
    """The stretch that `from`, `to` and `res` name. Raises BadStretchError. `period_s` is how far apart samples are."""
    until = _until(params.get("to", ""), now)
    since = _since(params.get("from", ""), until)
    if since >= until:
        raise BadStretchError("The stretch must begin before it ends.")
    if until - since > LONGEST:
        raise BadStretchError(f"Ask for at most {LONGEST.days} days at once.")
    return stretch(since, until, _resolution(params.get("res", ""), since, until, now), period_s)


def stretch(since: datetime, until: datetime, resolution: str, period_s: int) -> Stretch:
    """The stretch in whole bins. Raises BadStretchError where there would be too many."""
    length_s = (until - since).total_seconds()
    step_s = COARSE[resolution][1] if resolution in COARSE else _raw_step_s(length_s, period_s)
    if length_s / step_s > MOST_POINTS:
        raise BadStretchError(f"That would be more than {MOST_POINTS} points: ask for less, or for a coarser res.")
    first = datetime.fromtimestamp(since.timestamp() // step_s * step_s, UTC)
    return Stretch(since=first, until=until, step_s=step_s, resolution=resolution)


def columns(series_ids: Iterable[int], asked_for: Stretch) -> dict[int, Column]:
    """The values of each series, one for each bin, None where there is none."""
    empty: Column = [None] * asked_for.bins
    found = {series_id: list(empty) for series_id in series_ids}
    with connection.cursor() as cursor:
        # Both lists of a series as one text each: a row, or an array's item, for each point would cost twice as much.
        cursor.execute(
            "SELECT series_id, string_agg(bin::text, ','), string_agg(value::text, ',') FROM ("  # noqa: S608 - a constant
            " SELECT series_id, floor((date_part('epoch', at) - %s) / %s)::int AS bin, avg(value)::float4 AS value"
            f" FROM {asked_for.table.name} WHERE series_id = ANY(%s) AND at >= %s AND at < %s GROUP BY 1, 2"
            ") AS binned GROUP BY 1",
            [asked_for.t0, asked_for.step_s, list(found), asked_for.since, asked_for.until],
        )
        for series_id, bins, values in cursor.fetchall():
            column = found[series_id]
            for index, value in zip(bins.split(","), values.split(","), strict=True):
                column[int(index)] = float(value)
    return found


def _raw_step_s(length_s: float, period_s: int) -> int:
    wanted_s = max(period_s, length_s / POINTS)
    return next((step for step in RAW_STEPS_S if step >= wanted_s), RAW_STEPS_S[-1])


def _resolution(word: str, since: datetime, until: datetime, now: datetime) -> str:
    if word and word not in RESOLUTIONS:
        raise BadStretchError(f"res is one of {', '.join(RESOLUTIONS)}.")
    if word:
        return word
    by_length = next(name for longest, name in CHOSEN if until - since <= longest)
    too_old = since < now - partitions.SAMPLES.keep
    return "5min" if by_length == "raw" and too_old else by_length


def _until(text: str, now: datetime) -> datetime:
    return min(_moment(text), now) if text and text != "now" else now


def _since(text: str, until: datetime) -> datetime:
    if not text:
        return until - DEFAULT
    if not text.startswith("-"):
        return _moment(text)
    number, unit = text[1:-1], UNITS.get(text[-1])
    if unit is None or not (number.isascii() and number.isdigit()) or len(number) > 5:
        raise BadStretchError(TIMES)
    return until - min(int(number) * unit, 2 * LONGEST)


def _moment(text: str) -> datetime:
    """A time as people and programs write it. What lies before 2000 or after 2200 was meant otherwise."""
    try:
        at = datetime.fromtimestamp(float(text), UTC) if _is_number(text) else parse_datetime(text)
    except (ValueError, OverflowError, OSError) as wrong:
        raise BadStretchError(TIMES) from wrong
    if at is None or not 2000 <= at.year < 2200:
        raise BadStretchError(TIMES)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _is_number(text: str) -> bool:
    return len(text) <= 20 and text.isascii() and text.replace(".", "", 1).isdigit()
