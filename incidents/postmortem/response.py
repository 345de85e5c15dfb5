"""How an incident was worked on: roles, hand-overs, messages, runs, the checklist with its overrides; the recovery."""

from incidents.measures import duration
from incidents.postmortem.escape import inline, link, on_one_line, table
from incidents.postmortem.impact import queries, with_unit
from incidents.postmortem.story import Effect, Line, RunFact, StepFact, Story

SKIPPED = "skipped"


def write(story: Story) -> str:
    """Roles, hand-overs, messages, runs and the checklist; overrides, skipped steps and broken glass in red."""
    parts = [
        _roles(story),
        _lines(story, "Hand-overs and changes of roles:", story.hand_overs),
        _merged(story),
        _runs(story),
        _broken_glass(story),
        _lines(story, "What people outside were told:", story.messages) or "No message to people outside is recorded.",
        _checklist(story),
        _overrides(story),
    ]
    return "\n\n".join(part for part in parts if part)


def _roles(story: Story) -> str:
    since = story.clock(story.commander_since)
    rows = [["Commander", inline(story.commander) or "nobody", since, "until the end" if since else ""]]
    rows += [
        [inline(held.role), inline(held.who), story.clock(held.since), story.clock(held.until) or "until the end"]
        for held in story.roles
    ]
    return table(["Role", "Who", "From (UTC)", "Until (UTC)"], rows)


def _merged(story: Story) -> str:
    """The incidents that became a part of this one, with what their people had proved by then."""
    rows = [
        [
            link(f"INC-{one.number}", f"{story.base_url}/incidents/{one.number}/"),
            one.severity,
            inline(one.title),
            story.clock(one.declared_at),
            story.clock(one.merged_at),
            inline(one.by),
            inline(one.why),
            inline(", ".join(f"{step.title} ({step.state})" for step in one.steps)),
        ]
        for one in story.merged
    ]
    head = ["Incident", "Severity", "Title", "Declared (UTC)", "Merged (UTC)", "By", "Why", "Steps closed by then"]
    return f"Merged into this incident:\n\n{table(head, rows)}" if rows else ""


def _lines(story: Story, title: str, lines: tuple[Line, ...]) -> str:
    rows = [[story.clock(line.at), link(on_one_line(line.text), line.url), inline(line.who)] for line in lines]
    return f"{title}\n\n{table(['UTC', 'What', 'Who'], rows)}" if rows else ""


def _runs(story: Story) -> str:
    if not story.runs:
        return "No action was executed."
    rows = [
        [
            story.clock(run.requested_at),
            _linked(run, story),
            inline(run.target),
            inline(run.by),
            inline(run.status),
            _took(run),
            duration(run.approval_s) if run.approval_s is not None else "",
            inline(run.outcome),
        ]
        for run in story.runs
    ]
    head = ["Requested (UTC)", "Action", "Target", "By", "Ended", "Took", "Approval", "Outcome"]
    return table(head, rows)


def _broken_glass(story: Story) -> str:
    return "\n\n".join(
        f"> 🔴 **The glass was broken: {inline(run.title)} ran without a second person** at "
        f"{story.when(run.requested_at)} by {inline(run.by)}. Reason: {inline(run.reason)}"
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
            f"🔴 **{step.state}**" if _forced(step) else step.state,
            story.clock(step.done_at),
            duration(step.took_s) if step.took_s is not None else "",
            inline(step.by),
            inline("; ".join(step.open_items)),
        ]
        for step in story.steps
    ]
    return table(["Step", "State", "Closed (UTC)", "Took", "By", "Parts not ticked"], rows)


def _forced(step: StepFact) -> bool:
    """Whether it was closed without its evidence."""
    return bool(step.override_reason) or step.state == SKIPPED


def _overrides(story: Story) -> str:
    return "\n\n".join(_override(story, step) for step in story.steps if _forced(step))


def _override(story: Story, step: StepFact) -> str:
    what = "Skipped" if step.state == SKIPPED else "Overridden"
    return (
        f"> 🔴 **{what}: {step.title} was closed without its evidence** at {story.when(step.done_at)} "
        f"by {inline(step.by)}. "
        f"Reason: {inline(step.override_reason)}"
    )


def recovery(story: Story) -> str:
    """Which runs ended it, what they changed in the series, and how long it took."""
    lines = [
        f"- {inline(run.title)} on {inline(run.target)} ended {story.when(run.finished_at)}: {inline(run.outcome)}"
        for run in story.runs
        if run.status == "succeeded"
    ]
    lines += [
        f"- {measure.name}: {measure.text} ({measure.meaning})."
        for measure in story.measures
        if measure.name in ("Time to mitigate", "Time to resolve")
    ]
    rows = [_effect(story, effect) for effect in story.effects]
    head = ["Action ended (UTC)", "Action", "Series", "Five minutes before", "Five minutes after", "Source"]
    asked = [
        (f"{effect.series} {when} {effect.run}, {story.when(effect.finished_at)}", query)
        for effect in story.effects
        for when, query in zip(("before", "after"), effect.queries, strict=True)
    ]
    around = f"What the watched series did around each action:\n\n{table(head, rows)}\n\n{queries(asked)}"
    changed = f"\n\n{around}" if rows else ""
    return "\n".join(lines) + changed + _restores(story)


def _restores(story: Story) -> str:
    """How long each restore took and what it lost; what is not proven is said so."""
    rows = [
        [
            link(one.source, f"{story.base_url}{one.url}"),
            inline(one.instance),
            inline(one.state),
            duration(one.rto_s) if one.rto_s is not None else "not proven",
            duration(one.rpo_s) if one.rpo_s is not None else "not proven",
            inline(one.loss),
        ]
        for one in story.restores
    ]
    if not rows:
        return ""
    head = ["Restored from", "Into", "State", "Time to recover (RTO)", "Recovery point (RPO)", "What is lost"]
    return f"\n\nRestores of the database:\n\n{table(head, rows)}"


def _effect(story: Story, effect: Effect) -> list[str]:
    return [
        story.clock(effect.finished_at),
        inline(f"{effect.run} on {effect.target}"),
        inline(f"{effect.service}: {effect.series}"),
        with_unit(effect.before, effect.unit),
        with_unit(effect.after, effect.unit),
        inline(effect.source),
    ]
