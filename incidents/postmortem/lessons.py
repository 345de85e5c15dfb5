"""The facts that ask for a judgement: what seems to have gone well, badly, or by luck. People give the judgement."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from incidents.measures import duration
from incidents.postmortem.escape import inline
from incidents.postmortem.story import Story
from novaops.words import counted

SLOW_APPROVAL_S = 300
SLOW_ACKNOWLEDGEMENT_S = 300
CLOSED_BADLY = ("skipped", "overridden")


def well(story: Story) -> Iterator[str]:
    """Detected by a machine, mended at the first try, people were told in time."""
    detect = next(one for one in story.measures if one.name == "Time to detect")
    if story.alerts and not story.reports and detect.seconds is not None:
        yield f"An alert detected it, {detect.text} after the start, before any person reported it."
    succeeded = [run for run in story.runs if run.status == "succeeded"]
    if succeeded and len(succeeded) == len(story.runs):
        yield f"Every action that was run succeeded ({len(succeeded)})."
    if story.update_every_s and story.messages and not _late_updates(story):
        yield f"No promised update was late: one was due every {duration(story.update_every_s)}."
    if story.steps and all(step.state not in CLOSED_BADLY for step in story.steps):
        yield "No step of the checklist was skipped or overridden."


def badly(story: Story) -> Iterator[str]:
    """Slow approvals and acknowledgements, flapping alerts, failed runs, overrides, late updates, late notes."""
    yield from (
        f"The approval of {inline(run.title)} took {duration(run.approval_s)}."
        for run in story.runs
        if run.approval_s is not None and run.approval_s >= SLOW_APPROVAL_S
    )
    acknowledge = next(one for one in story.measures if one.name == "Time to acknowledge")
    if acknowledge.seconds is not None and acknowledge.seconds >= SLOW_ACKNOWLEDGEMENT_S:
        yield f"Nobody took it for {acknowledge.text} after it was detected."
    counts = Counter[str]()
    for alert in story.alerts:
        counts[alert.title] += 1 + alert.flaps
    yield from (f"{inline(title)} fired {count} times." for title, count in counts.items() if count > 1)
    yield from (
        f"{inline(run.title)} ended {inline(run.status)}."
        for run in story.runs
        if run.status not in ("succeeded", "running", "verifying", "queued")
    )
    yield from (f"{inline(run.title)} did not help, somebody said." for run in story.runs if run.worked is False)
    yield from (
        f"{step.title} was {step.state}: {inline(step.override_reason) or 'without a reason'}"
        for step in story.steps
        if step.state in CLOSED_BADLY
    )
    yield from _late_updates(story)
    late = sum(line.late for line in story.timeline)
    if late:
        what = "1 entry of the timeline was" if late == 1 else f"{late} entries of the timeline were"
        yield f"{what} written down later than it happened."
    yield from (
        f"{inline(sign.rule)} was beyond its threshold in {counted(sign.beyond, 'sample')} and never fired."
        for sign in story.signs
        if sign.fired_at is None
    )


def lucky(story: Story) -> Iterator[str]:
    """What ended by itself, what was found by a person, what still stands changed."""
    acted = min((run.requested_at for run in story.runs), default=None)
    for alert in story.alerts:
        if alert.cleared_at and (acted is None or alert.cleared_at < acted):
            yield f"{inline(alert.title)} cleared before any action was run."
    if story.reports and not story.alerts:
        yield "A person noticed it; no rule would have."
    yield from (
        f"{inline(run.title)} ran without a second person, because the glass was broken."
        for run in story.runs
        if run.broken_glass
    )
    yield from (f"Not put back yet: {inline(run.not_put_back)}" for run in story.runs if run.not_put_back)


def _late_updates(story: Story) -> list[str]:
    """The stretches without a message that were longer than the severity promises."""
    if not story.update_every_s:
        return []
    told = [story.declared_at, *(line.at for line in story.messages), story.ended_at]
    waits = [(second - first).total_seconds() for first, second in pairwise(told)]
    return [
        f"People heard nothing for {duration(wait)}, {duration(story.update_every_s)} is promised."
        for wait in waits
        if wait > story.update_every_s
    ]


def points(story: Story, told: Callable[[Story], Iterator[str]]) -> str:
    """The facts as a list, or that there is none."""
    found = list(told(story))
    return "\n".join(f"- {line}" for line in found) if found else "Nothing recorded stands out."


def write(story: Story) -> str:
    """The three lists; below each, people answer."""
    return (
        f"What is recorded and may have gone well:\n\n{points(story, well)}\n\n"
        f"What is recorded and may have gone badly:\n\n{points(story, badly)}\n\n"
        f"What is recorded and may have been luck:\n\n{points(story, lucky)}"
    )
