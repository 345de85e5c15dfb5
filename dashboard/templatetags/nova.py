"""Template tags of every page (builtins, no load needed): states, icons, times, sparklines, the main navigation."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from dashboard import sparkline as drawing
from dashboard.services.base import services
from dashboard.status import CHANGES, MARKS, RUN_STAGES, RUNS, SERVICES, STAGES, State

register = template.Library()

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86400
GIB = 2**30
NONE = "\N{EN DASH}"


@register.simple_tag
def icon(name: str) -> SafeString:
    """The octicon of that name, silent to screen readers: words stand beside it."""
    return _icon(name, _sprite())


@cache
def _sprite() -> str:
    return static("vendor/icons.svg")


@cache
def _icon(name: str, sprite: str) -> SafeString:
    return format_html('<svg class="i" aria-hidden="true"><use href="{}#{}"></use></svg>', sprite, name)


@register.simple_tag
def state_pill(state: str, word: str = "") -> SafeString:
    """A state as fill, shape and word; `word` replaces the vocabulary's own where a page is more precise."""
    known = State(state)
    return _pill(known, word or known.word, _sprite())


@cache
def _pill(state: State, word: str, sprite: str) -> SafeString:
    return format_html('<span class="pill pill-{}">{}{}</span>', state.value, _icon(state.icon, sprite), word)


@register.simple_tag
def state_word(state: str) -> str:
    """The vocabulary's word for a state."""
    return State(state).word


@register.simple_tag
def service_icon(kind: str) -> SafeString:
    """The icon of a service."""
    return icon(SERVICES.get(kind, "rows"))


@register.simple_tag
def service_title(kind: str) -> str:
    """The name of a service."""
    return services[kind].title


@register.simple_tag
def change_icon(kind: str) -> SafeString:
    """The icon of a kind of change (alert, run, deployment, incident)."""
    return icon(CHANGES.get(kind, "note"))


@register.simple_tag
def risk_word(risk: str) -> SafeString:
    """What an action can do to Nova's users, as a word coloured by its weight."""
    return format_html('<span class="risk" data-risk="{}">{}</span>', str(risk), str(risk))


@register.simple_tag
def run_pill(status: str) -> SafeString:
    """The status of a run in the vocabulary's look."""
    return state_pill(*RUNS[str(status)])


@register.simple_tag
def run_statuses() -> list[tuple[str, str]]:
    """Every status of a run with its word, for filters."""
    return [(status, word) for status, (_, word) in RUNS.items()]


@register.simple_tag
def stages(name: str) -> SafeString:
    """Where somebody stands between a button and a known outcome, by the name of the stage."""
    return _stages([stage.lower() for stage in STAGES].index(name))


@register.simple_tag
def run_stages(status: str) -> SafeString:
    """Where a run stands, by its status."""
    return _stages(RUN_STAGES[str(status)])


def _stages(now: int) -> SafeString:
    steps = ((at, name, mark("done") if at < now else at + 1) for at, name in enumerate(STAGES))
    current = mark_safe(' aria-current="step"')
    items = ((current if at == now else "", sign, name) for at, name, sign in steps)
    return format_html(
        '<ol class="stages" aria-label="Stages">{}</ol>', format_html_join("", "<li{}>{} {}</li>", items)
    )


@register.simple_tag
def mark(state: str) -> SafeString:
    """The round mark before a step or a precheck, with the word for those who do not see it."""
    shape, word = MARKS[str(state)]
    return format_html('<span class="mark mark-{}">{}<span class="vh">{}:</span></span>', str(state), icon(shape), word)


@register.simple_tag
def sparkline(points: Sequence[float | None] | None, label: str) -> SafeString:
    """The values of one series as a small line; a gap stays a gap, and the label says what the line shows."""
    values = list(points or ())
    shape = drawing.draw(values)
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        shape.width,
        drawing.HEIGHT,
        drawing.sentence(values, label),
        mark_safe(  # noqa: S308 (numbers only)
            "".join(
                f'<rect class="gap" x="{start}" y="0" width="{wide}" height="{drawing.HEIGHT}"/>'
                for start, wide in shape.gaps
            )
            + (f'<path class="area" d="{shape.area}"/><path class="line" d="{shape.line}"/>' if shape.line else "")
        ),
    )


@register.filter
def number(value: float | None) -> str:
    """A measured value with three significant digits, whole above a thousand."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


@register.filter
def measured(value: float | None, unit: str) -> str:
    """A measured value with its unit, bytes as GiB."""
    if value is not None and unit == "B":
        value, unit = value / GIB, "GiB"
    return f"{number(value)} {unit}".rstrip()


@register.filter
def as_json(value: Any) -> str:
    """A value as indented JSON, for people."""
    return json.dumps(value, indent=2, sort_keys=True, default=str)


@register.filter
def duration(length: timedelta | float | None) -> str:
    """A length of time in its two largest units: 45 s, 14 min, 1 h 5 min, 3 d 4 h. Numbers are seconds."""
    if length is None:
        return NONE
    total_s = int(length.total_seconds() if isinstance(length, timedelta) else length)
    if total_s < MINUTE_S:
        return f"{total_s} s"
    if total_s < HOUR_S:
        return f"{total_s // MINUTE_S} min"
    if total_s < DAY_S:
        return _two(total_s, HOUR_S, "h", MINUTE_S, "min")
    return _two(total_s, DAY_S, "d", HOUR_S, "h")


def _two(total_s: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = total_s % large_s // small_s
    return f"{total_s // large_s} {large}" + (f" {rest} {small}" if rest else "")


@register.filter
def until(start: datetime | None, end: datetime | None) -> timedelta | None:
    """The time between two moments; None where one is not known. For `duration`."""
    return end - start if start and end else None


@register.filter
def moment(text: str) -> datetime:
    """A moment that was kept as text, for the filters that write times."""
    return datetime.fromisoformat(text)


@register.filter
def age(at: datetime | None) -> str:
    """How long ago, counting on in the browser; the words inside stand without JavaScript and in print."""
    if at is None:
        return NONE
    return format_html(
        '<relative-time datetime="{}" format="relative" format-style="narrow" title="{}">{}</relative-time>',
        _iso(at),
        _full(at),
        _ago(timezone.now() - at),
    )


def _ago(since: timedelta) -> str:
    if since < timedelta(0):
        return f"in {duration(-since)}"
    return f"{duration(since)} ago"


@register.filter
def utc(at: datetime | None) -> str:
    """A time as read by people, with its zone: `19:07:03 UTC` today, `22 Nov 19:07 UTC` on another day."""
    if at is None:
        return NONE
    return _time(at, f"{_short(at)} UTC")


@register.filter
def clock(at: datetime | None) -> str:
    """As `utc` without the zone, for columns and timelines whose heading names it."""
    if at is None:
        return NONE
    return _time(at, _short(at))


def _time(at: datetime, words: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', _iso(at), _full(at), words)


def _short(at: datetime) -> str:
    now, at = timezone.now().astimezone(UTC), at.astimezone(UTC)
    if at.date() == now.date():
        return f"{at:%H:%M:%S}"
    return f"{at:%-d %b %H:%M}" if at.year == now.year else f"{at:%-d %b %Y %H:%M}"


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _full(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


@register.simple_tag(takes_context=True)
def nav_link(context: dict[str, Any], name: str, title: str, symbol: str, key: str = "", count: int = 0) -> SafeString:
    """One entry of the main navigation, or nothing where no such page is installed.

    `key` is its shortcut after `g`; an entry without one is only shown on a phone, whose bar has no room for it.
    """
    try:
        url = reverse(name)
    except NoReverseMatch:
        return SafeString("")
    path = getattr(context.get("request"), "path", "")
    here = path == url if url == "/" else path.startswith(url)
    return format_html(
        '<li><a href="{}{}"{}{}>{}{}{}</a></li>',
        url,
        _in_environment(context),
        format_html(' data-key="{}"', key) if key else mark_safe(' class="on-phone"'),
        mark_safe(' aria-current="page"') if here else "",
        icon(symbol),
        title,
        format_html(' <span class="count">{}</span>', count) if count else "",
    )


def _in_environment(context: dict[str, Any]) -> str:
    """Keeps the environment on the way to the next page, where there are several."""
    bar = context.get("bar")
    return f"?environment={bar.environment.name}" if bar and len(bar.environments) > 1 else ""
