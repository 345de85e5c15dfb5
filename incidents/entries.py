"""The timeline as the room shows it: the newest first, filtered, page by page, with what is pinned above it."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

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
    """A page of the timeline; `older` is the entry that the next page begins before, None on the last one."""

    entries: list[TimelineEntry]
    pinned: list[TimelineEntry]
    older: int | None
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
        show=show,
        before=before,
    )
