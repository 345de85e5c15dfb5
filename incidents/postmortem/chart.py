"""A chart as inline SVG with its values as a table: it reads the same where SVG is taken out.

The SVG carries no text, so that nothing of it is left between the lines where a renderer drops its tags.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from incidents.postmortem.escape import clean, inline, table
from incidents.postmortem.impact import number
from incidents.postmortem.story import Chart, Mark

WIDTH = 600
HEIGHT = 120
EDGE = 4
LOOKS = {"alert": ("#d1242f", "4 3"), "clear": ("#1a7f37", "1 3"), "run": ("#8250df", "")}


def draw(chart: Chart) -> str:
    """The figure and, folded, its data."""
    known = [value for value in chart.values if value is not None]
    floor, top = _scale(known, chart.threshold)
    title = f"{chart.service}: {chart.series}"
    return "\n".join(
        [
            "<figure>",
            _svg(chart, title, floor, top),
            f"<figcaption>{text(_caption(chart, title, known, floor, top))}</figcaption>",
            "</figure>",
            "",
            folded(f"Data of {title}", _data(chart)),
        ]
    )


def folded(summary: str, markdown: str) -> str:
    """Markdown that opens on a click; where `details` is not known, it simply stands there."""
    return f"<details>\n<summary>{text(summary)}</summary>\n\n{markdown}\n\n</details>"


def text(words: str) -> str:
    """Foreign words inside of HTML: one line, nothing of it markup."""
    return escape(clean(words))


def _scale(known: Sequence[float], threshold: float | None) -> tuple[float, float]:
    """The lowest and highest value drawn; zero is always among them."""
    drawn = [0.0, *known, *([threshold] if threshold is not None else [])]
    return min(drawn), max(max(drawn), min(drawn) + 1e-9)


def _svg(chart: Chart, title: str, floor: float, top: float) -> str:
    def y(value: float) -> float:
        return round(HEIGHT - EDGE - (value - floor) / (top - floor) * (HEIGHT - 2 * EDGE), 1)

    parts = [f'<line x1="0" y1="{y(0):g}" x2="{WIDTH}" y2="{y(0):g}" stroke="#8c959f" stroke-width="1"></line>']
    parts += [_mark(chart, mark) for mark in chart.marks]
    if chart.threshold is not None:
        at = y(chart.threshold)
        parts.append(
            f'<line x1="0" y1="{at:g}" x2="{WIDTH}" y2="{at:g}" stroke="#bf8700" stroke-width="1" '
            'stroke-dasharray="6 4"></line>'
        )
    heights = [None if value is None else y(value) for value in chart.values]
    parts.append(f'<path d="{_path(heights)}" fill="none" stroke="#0969da" stroke-width="2"></path>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{text(title)}">{"".join(parts)}</svg>'
    )


def _mark(chart: Chart, mark: Mark) -> str:
    x = WIDTH * (mark.at - chart.start) / (chart.end - chart.start)
    colour, dashes = LOOKS[mark.kind]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{HEIGHT}" stroke="{colour}" stroke-width="1.5"{dashed}></line>'


def _path(heights: Sequence[float | None]) -> str:
    """Lines between neighbours; a gap stays a gap, a lonely value is a dot."""
    step = WIDTH / max(len(heights), 1)
    moves, down = [], False
    for at, height in enumerate(heights):
        x = f"{(at + 0.5) * step:.1f}"
        if height is not None:
            moves.append(f"{'L' if down else 'M'}{x} {height:g}" + ("" if down else "h.1"))
        down = height is not None
    return "".join(moves)


def _caption(chart: Chart, title: str, known: Sequence[float], floor: float, top: float) -> str:
    unit = f" {chart.unit}" if chart.unit else ""
    said = [
        f"{title}, from {chart.start:%Y-%m-%d %H:%M:%S} to {chart.end:%Y-%m-%d %H:%M:%S} UTC",
        f"drawn from {number(floor)} to {number(top)}{unit}",
        f"highest {number(max(known))}{unit}",
    ]
    if chart.threshold is not None:
        said.append(f"dashed across: the threshold of {number(chart.threshold)}{unit}")
    if chart.marks:
        said.append("upright: an alert fired (dashed) or cleared (dotted), an action began or ended (whole)")
    return f"{'; '.join(said)}. From {chart.source}."


def _data(chart: Chart) -> str:
    rows = [[_clock(at), "no data" if value is None else number(value)] for at, value in _points(chart)]
    unit = f" in {inline(chart.unit)}" if chart.unit else ""
    told = "\n".join(f"- {_clock(mark.at)} UTC: {inline(mark.text)}" for mark in chart.marks)
    return table(["From (UTC)", f"Average{unit}"], rows) + (f"\n\n{told}" if told else "")


def _points(chart: Chart) -> Iterator[tuple[datetime, float | None]]:
    step = (chart.end - chart.start) / max(len(chart.values), 1)
    for at, value in enumerate(chart.values):
        yield chart.start + step * at, value


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"
