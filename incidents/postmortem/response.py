"""How an incident was worked on: runs, checklist, overrides, and the facts that ask for a judgement."""

from collections import Counter
from datetime import datetime

from incidents.measures import duration
from incidents.postmortem.escape import inline, link, table
from incidents.postmortem.story import RunFact, StepFact, Story


def _clock(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def write(story: Story) -> str:
    """Runs with outcome and duration, the checklist with its times; overrides and broken glass in red words."""
    parts = [_runs(story), _broken_glass(story), _checklist(story), _overrides(story)]
    return "\n\n".join(part for part in parts if part)


def _runs(story: Story) -> str:
    if not story.runs:
        return "No action was executed."
    rows = [
        [
            _clock(run.requested_at),
            _linked(run, story),
            inline(run.target),
            inline(run.by),
            inline(run.status),
            _took(run),
            inline(run.outcome),
        ]
        for run in story.runs
    ]
    return table(["Requested (UTC)", "Action", "Target", "By", "Ended", "Took", "Outcome"], rows)


def _broken_glass(story: Story) -> str:
    return "\n\n".join(
        f"> 🔴 **The glass was broken: {inline(run.title)} ran without a second person** at "
        f"{_clock(run.requested_at)} UTC by {inline(run.by)}. Reason: {inline(run.reason)}"
        for run in story.runs
        if run.broken_glass
    )


def _linked(run: RunFact, story: Story) -> str:
    return link(run.title, f"{story.base_url}{run.url}" if run.url else "")


def _took(run: RunFact) -> str:
    if not run.finished_at:
        return "not finished"
    return duration((run.finished_at - (run.started_at or run.requested_at)).total_seconds())


def _checklist(story: Story) -> str:
    rows = [
        [
            step.title,
            f"**{step.state}**" if step.override_reason else step.state,
            _clock(step.done_at),
            duration(step.took_s) if step.took_s is not None else "",
            inline(step.by),
            inline("; ".join(step.open_items)),
        ]
        for step in story.steps
    ]
    return table(["Step", "State", "Closed (UTC)", "Took", "By", "Parts not ticked"], rows)


def _overrides(story: Story) -> str:
    found = [step for step in story.steps if step.override_reason]
    return "\n\n".join(_override(step) for step in found)


def _override(step: StepFact) -> str:
    return (
        f"> 🔴 **Overridden: {step.title} was closed without its evidence** at {_clock(step.done_at)} UTC "
        f"by {inline(step.by)}. "
        f"Reason: {inline(step.override_reason)}"
    )


def recovery(story: Story) -> str:
    """Which runs ended it, and how long that took."""
    mitigate = next(measure for measure in story.measures if measure.name == "Time to mitigate")
    lines = [
        f"- {inline(run.title)} on {inline(run.target)} ended {_clock(run.finished_at)} UTC: {inline(run.outcome)}"
        for run in story.runs
        if run.status == "succeeded"
    ]
    return "\n".join([*lines, f"- {mitigate.name}: {mitigate.text} ({mitigate.meaning})."])


def asking(story: Story) -> str:
    """The facts that ask for a judgement; people give it below."""
    found = [*_flaps(story), *_bad_runs(story), *_override_facts(story), *_late(story)]
    if not found:
        return "Nothing recorded stands out."
    return "\n".join(f"- {line}" for line in found)


def _flaps(story: Story) -> list[str]:
    counts = Counter(alert.title for alert in story.alerts)
    return [f"{inline(title)} fired {count} times." for title, count in counts.items() if count > 1]


def _bad_runs(story: Story) -> list[str]:
    return [
        f"{inline(run.title)} ended {inline(run.status)}."
        for run in story.runs
        if run.status not in ("succeeded", "running")
    ]


def _override_facts(story: Story) -> list[str]:
    return [
        f"{step.title} was overridden: {inline(step.override_reason)}" for step in story.steps if step.override_reason
    ]


def _late(story: Story) -> list[str]:
    late = sum(line.late for line in story.timeline)
    return [f"{late} entries of the timeline were written down later than they happened."] if late else []


def evidence(story: Story) -> str:
    """What proved each step, as one small table."""
    rows = [
        [step.title, _clock(at), inline(kind), inline(text)] for step in story.steps for at, kind, text in step.evidence
    ]
    return table(["Step", "UTC", "Kind", "What"], rows) if rows else "No step was closed on evidence."
