"""The impact of an incident in numbers, each with its source and the query that computes it again."""

from incidents.measures import duration
from incidents.postmortem.escape import fence, inline, table
from incidents.postmortem.story import Figure, Story
from novaops.words import counted

NOT_RECORDED = "not recorded"


def number(value: float) -> str:
    """A figure with at most four significant digits and never an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    digits = f"{value:.4g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if "e" in digits else digits


def with_unit(value: float | None, unit: str) -> str:
    """The figure with its unit; what nobody recorded is no zero."""
    return NOT_RECORDED if value is None else f"{number(value)} {inline(unit)}".strip()


def write(story: Story) -> str:
    """The headline numbers, the time in each state, and each series of the affected services with its source."""
    parts = [_numbers(story), _states(story), _firing(story), _series(story), _queries(story)]
    return "\n\n".join(part for part in parts if part)


def _numbers(story: Story) -> str:
    rows = [[inline(one.label), f"**{with_unit(one.value, one.unit)}**", inline(one.source)] for one in story.numbers]
    return table(["Number", "Value", "Source"], rows) if rows else ""


def _states(story: Story) -> str:
    rows = [
        [inline(one.service), *(duration(length) for length in (one.crit_s, one.warn_s, one.unknown_s, one.ok_s))]
        for one in story.states
    ]
    if not rows:
        return ""
    head = ["Service", "Critical", "Degraded", "No data", "Otherwise"]
    return f"Time in each state, by the alerts that fired and the samples that came:\n\n{table(head, rows)}"


def _firing(story: Story) -> str:
    lines = [
        f"- {inline(alert.title)} fired for "
        f"{duration(((alert.cleared_at or story.ended_at) - alert.fired_at).total_seconds())} ({inline(alert.source)})."
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
            with_unit(figure.low, figure.unit),
            with_unit(figure.average, figure.unit),
            f"**{with_unit(figure.high, figure.unit)}**",
            with_unit(figure.total, figure.unit) if figure.counts else "",
            inline(_source(figure)),
        ]
        for figure in story.figures
        if figure.low or figure.high
    ]
    still = [
        f"{figure.service} {figure.series} ({_source(figure)})"
        for figure in story.figures
        if not (figure.low or figure.high)
    ]
    told = table(["Service", "Series", "Lowest", "Average", "Peak", "Sum", "Source"], rows) if rows else ""
    silent = f"At 0 all the time: {'; '.join(inline(one) for one in still)}." if still else ""
    return "\n\n".join(filter(None, [told, silent]))


def _source(figure: Figure) -> str:
    return f"{counted(figure.samples, 'sample')}, {figure.source}"


def _queries(story: Story) -> str:
    """What computes each number again in NovaOps' own database, folded."""
    asked = [(one.label, one.query) for one in story.numbers]
    return queries([*asked, *([("Each series", story.figures_query)] if story.figures else [])])


def queries(asked: list[tuple[str, str]]) -> str:
    """Queries with what each computes, folded; nothing where there is none."""
    if not asked:
        return ""
    body = "\n\n".join(f"{inline(label)}:\n\n{fence(f'{query};', 'sql')}" for label, query in asked)
    return (
        "<details>\n<summary>Queries that compute these numbers again from the recorded samples</summary>\n\n"
        f"{body}\n\n</details>"
    )
