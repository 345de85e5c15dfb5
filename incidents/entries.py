"""The timeline as the room shows it: the newest first, filtered, page by page, with what is pinned above it."""

from dataclasses import dataclass
from datetime import UTC

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware, make_aware

from incidents.models import Incident, TimelineEntry

ENTRIES_A_PAGE = 40
# Of very many pinned entries, the newest stay on top; the others are under their own filter.
MOST_PINNED = 10
Kind = TimelineEntry.Kind
# What the address may ask for, with its word.
SHOWS: dict[str, tuple[str, Q]] = {
    "": ("Everything", Q()),
    "key": ("Key moments", Q(starred=True)),
    "pinned": ("Pinned", Q(pinned=True)),
    "people": ("People", Q(author__isnull=False)),
    "notes": ("Notes", Q(kind=Kind.NOTE)),
    "messages": ("Messages", Q(kind=Kind.MESSAGE)),
    "alerts": ("Alerts", Q(kind=Kind.ALERT)),
    "runs": ("Runs", Q(kind__in=[Kind.RUN, Kind.DEPLOYMENT])),
    "decisions": ("Decisions", Q(kind__in=[Kind.STEP, Kind.STATE, Kind.ROLE, Kind.SEVERITY])),
}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A page of the timeline; `older` is the entry that the next page begins before, `oldest` that of the last page.

    Both are None on the last page.
    """

    entries: list[TimelineEntry]
    pinned: list[TimelineEntry]
    older: int | None
    oldest: int | None
    show: str
    before: int | None


def earlier(rows: QuerySet[TimelineEntry], entry: int | None) -> QuerySet[TimelineEntry]:
    """Those before that entry; all where there is no such entry."""
    edge = TimelineEntry.objects.filter(pk=entry).values_list("at", flat=True).first() if entry else None
    return rows.filter(at__lte=edge).exclude(at=edge, pk__gte=entry) if edge else rows


def page(incident: Incident, show: str = "", before: int | None = None, limit: int = ENTRIES_A_PAGE) -> Shown:
    """The entries told before that one, or the newest; an unknown filter is none."""
    show = show if show in SHOWS else ""
    told = incident.timeline.select_related("author").defer("data")
    rows = told.filter(SHOWS[show][1])
    found = list(earlier(rows, before).order_by("-at", "-id")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Shown(
        entries=found,
        pinned=list(told.filter(pinned=True).order_by("-at", "-id")[:MOST_PINNED])[::-1] if show != "pinned" else [],
        older=found[-1].pk if more else None,
        oldest=_after_the_first(rows, limit) if more else None,
        show=show,
        before=before,
    )


def _after_the_first(rows: QuerySet[TimelineEntry], limit: int) -> int | None:
    """The entry that comes after the first `limit` of them."""
    return rows.order_by("at", "id").values_list("pk", flat=True)[limit : limit + 1].first()


def told_after(incident: Incident, until: str) -> int | None:
    """The first entry after that time (in UTC, a whole minute included); None where there is none, or no such time."""
    try:
        at = parse_datetime(until)
    except ValueError:
        return None
    if at is None:
        return None
    at = at if is_aware(at) else make_aware(at, UTC)
    end = at.replace(second=59, microsecond=999_999) if len(until) == len("2026-11-25T14:00") else at
    later = incident.timeline.filter(at__gt=end)
    return later.order_by("at", "id").values_list("pk", flat=True).first()
