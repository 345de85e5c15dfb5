"""The geometry of a sparkline: the values of a series as SVG paths, and the sentence that says the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEIGHT = 40
TOP = 2


@dataclass(frozen=True)
class Shape:
    """Paths in a box of `width` x HEIGHT, one unit of width per point; gaps are (first x, width)."""

    width: int
    line: str
    area: str
    gaps: list[tuple[int, int]]


def draw(values: Sequence[float | None]) -> Shape:
    """The line over a zero baseline. Missing values are not bridged; they are returned as gaps."""
    segments = list(_segments(values))
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    height = (HEIGHT - 2 * TOP) / ((high - low) or 1)
    heights = [None if value is None else round(HEIGHT - TOP - (value - low) * height, 1) for value in values]
    lines = [_line(start, [y for y in heights[start:stop] if y is not None]) for start, stop in segments]
    areas = [f"{line}V{HEIGHT}H{start}Z" for line, (start, _) in zip(lines, segments, strict=True)]
    return Shape(max(len(values) - 1, 1), "".join(lines), "".join(areas), _gaps(segments, len(values)))


def sentence(values: Sequence[float | None], label: str) -> str:
    """What the line shows, for those who do not see it."""
    known = [value for value in values if value is not None]
    if not known:
        return f"{label}: no data"
    latest = "no data now" if values[-1] is None else f"now {values[-1]:.4g}"
    missing = len(values) - len(known)
    gaps = f", {missing} of {len(values)} values missing" if missing else ""
    return f"{label}: {latest}, lowest {min(known):.4g}, highest {max(known):.4g}{gaps}"


def _segments(values: Sequence[float | None]) -> Iterator[tuple[int, int]]:
    """The runs of known values as (first index, index after the last)."""
    start = None
    for index, value in enumerate([*values, None]):
        if value is not None and start is None:
            start = index
        if value is None and start is not None:
            yield start, index
            start = None


def _line(start: int, heights: list[float]) -> str:
    moves = "".join(f"L{start + step} {y:g}" for step, y in enumerate(heights[1:], 1))
    return f"M{start} {heights[0]:g}{moves or 'h.01'}"


def _gaps(segments: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The spans without a line, from the last known point before to the first after."""
    edges = [0, *(edge for start, stop in segments for edge in (start, stop - 1)), max(length - 1, 1)]
    spans = zip(edges[::2], edges[1::2], strict=True)
    return [(first, last - first) for first, last in spans if last > first]
