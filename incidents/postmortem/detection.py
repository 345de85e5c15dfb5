"""How an incident was noticed: the first witness, every alert, and what could have seen it earlier."""

from datetime import datetime

from incidents.measures import duration
from incidents.postmortem.escape import inline, table
from incidents.postmortem.impact import number, queries, with_unit
from incidents.postmortem.story import AlertFact, Sign, Story
from novaops.words import counted


def write(story: Story) -> str:
    """The first witness, the alerts as a table, the signs that were there before."""
    parts = [_first(story), _alerts(story), _reports(story), _earlier(story)]
    return "\n\n".join(part for part in parts if part)


def _first(story: Story) -> str:
    detect = next(measure for measure in story.measures if measure.name == "Time to detect")
    said = f"{detect.name}: {detect.text} ({detect.meaning})."
    alert = min(story.alerts, key=lambda one: one.fired_at, default=None)
    report = min(story.reports, key=lambda one: one.at, default=None)
    if report and (alert is None or report.at < alert.fired_at):
        later = f" The first alert came {_after(report.at, alert.fired_at)}." if alert else " No alert fired."
        return f"A person's report saw it first, at {story.when(report.at)}.{later} {said}"
    if alert is None:
        return f"A person's report detected it; no alert fired. {said}"
    condition = f"its condition had begun at {story.when(alert.started_at)}"
    witness = f"{inline(alert.title)} ({inline(alert.source)}) saw it first, at {story.when(alert.fired_at)}"
    return f"{witness}; {condition}. {said}"


def _after(first: datetime, second: datetime) -> str:
    return f"{duration((second - first).total_seconds())} later"


def _alerts(story: Story) -> str:
    rows = [
        [
            story.clock(alert.fired_at),
            inline(alert.title),
            inline(alert.service),
            _value(alert),
            duration((alert.cleared_at - alert.fired_at).total_seconds()) if alert.cleared_at else "not cleared",
            inline("; ".join(alert.witnesses) or alert.source),
        ]
        for alert in story.alerts
    ]
    return table(["Fired (UTC)", "Alert", "Service", "Value", "Firing for", "Told by"], rows) if rows else ""


def _value(alert: AlertFact) -> str:
    """What was measured; an alert that only others told of has no value."""
    if alert.value is None or alert.threshold is None:
        return "not measured here"
    return f"{number(alert.value)} against {number(alert.threshold)}"


def _reports(story: Story) -> str:
    rows = [[story.clock(one.at), inline(one.text), inline(one.who)] for one in story.reports]
    return table(["Seen (UTC)", "Report", "By"], rows) if rows else ""


def _earlier(story: Story) -> str:
    """The thresholds that were crossed, each with how long before the detection and why it did not tell sooner."""
    rows = [
        [
            story.clock(sign.at),
            inline(f"{sign.rule} ({sign.service}: {sign.series})"),
            f"{with_unit(sign.value, sign.unit)} against {number(sign.threshold)}",
            _ahead(sign, story.moments.detected_at),
            _why(sign),
            inline(sign.source),
        ]
        for sign in story.signs
    ]
    if not rows:
        return "No threshold of the affected services was crossed in the recorded samples."
    head = ["First sample beyond (UTC)", "Rule", "Value", "Before detection", "What became of it", "Source"]
    asked = [(f"{sign.rule}, {sign.service}", sign.query) for sign in story.signs]
    said = "What could have seen it earlier, from the recorded samples and the rules as they are now:"
    return f"{said}\n\n{table(head, rows)}\n\n{queries(asked)}"


def _ahead(sign: Sign, detected_at: datetime | None) -> str:
    if detected_at is None or sign.at >= detected_at:
        return "after it"
    return duration((detected_at - sign.at).total_seconds())


def _why(sign: Sign) -> str:
    if sign.fired_at:
        return f"fired {_after(sign.at, sign.fired_at)}; it waits for {duration(sign.waits_s)}"
    return f"never fired: {counted(sign.beyond, 'sample')} beyond, it asks for {duration(sign.waits_s)} without a break"
