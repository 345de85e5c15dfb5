"""The impact of an incident in numbers, recomputable from the recorded samples that they name."""

from incidents.measures import duration
from incidents.postmortem.escape import inline, table
from incidents.postmortem.story import Figure, Story


def number(value: float) -> str:
    """A figure with at most four significant digits and never an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    digits = f"{value:.4g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if "e" in digits else digits


def write(story: Story) -> str:
    """Minutes of each alert, the headline figures, and each series of the affected services with its source."""
    parts = [_firing(story), _series(story)]
    return "\n\n".join(part for part in parts if part)


def _firing(story: Story) -> str:
    end = story.moments.resolved_at or story.generated_at
    lines = [
        f"- {inline(alert.title)} fired for {duration(((alert.cleared_at or end) - alert.fired_at).total_seconds())}"
        f" ({inline(alert.source)})."
        for alert in story.alerts
    ]
    return "\n".join(lines)


def _series(story: Story) -> str:
    if not story.figures:
        return "No samples of the affected services are recorded between the start and the end."
    rows = [
        [
            inline(figure.service),
            inline(figure.series),
            _with_unit(figure.low, figure),
            _with_unit(figure.average, figure),
            f"**{_with_unit(figure.high, figure)}**",
            _with_unit(figure.total, figure) if figure.counts else "",
            f"{figure.samples} samples, {inline(figure.source)}",
        ]
        for figure in story.figures
    ]
    return table(["Service", "Series", "Lowest", "Average", "Peak", "Sum", "Source"], rows)


def _with_unit(value: float, figure: Figure) -> str:
    return f"{number(value)} {inline(figure.unit)}".strip()
