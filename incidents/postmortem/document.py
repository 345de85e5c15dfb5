"""Writes a post-mortem from its facts: what a machine can know is filled, what people must say carries a prompt.

Every text that came from outside goes through `escape`. Times are UTC. The document is blameless: roles before names.
"""

from datetime import datetime

from incidents.measures import duration
from incidents.postmortem import detection, evidence, factors, impact, lessons, response
from incidents.postmortem.escape import inline, link, on_one_line, table, yaml_string
from incidents.postmortem.impact import number
from incidents.postmortem.markers import Part, front, generated, human
from incidents.postmortem.story import Line, Story

LIFE = (
    ("started", "started_at"),
    ("detected", "detected_at"),
    ("acknowledged", "acknowledged_at"),
    ("mitigated", "mitigated_at"),
    ("resolved", "resolved_at"),
)


LEGEND = (
    "What NovaOps recorded is filled in by NovaOps and written again on request; quoted questions, and what stands in "
    "their place, are people's."
)
DRILL = "**DRILL**: a rehearsal on the simulated Nova. Nothing was really wrong, and no number here is a real one."
LONGEST_LINE = 400


def write(story: Story) -> list[Part]:
    """The parts of the document, in its order."""
    return [
        front(_front_matter(story)),
        generated("title", _title(story)),
        generated("summary", f"## Summary\n\n{_summary(story)}\n\n{_life(story)}"),
        human("summary-story", "Two more sentences: what customers noticed, and what the incident was really about."),
        generated("impact", f"## Impact\n\n{impact.write(story)}"),
        human("impact-people", "Customers affected, money, support tickets. Say how each number was counted."),
        generated("detection", f"## Detection\n\n{detection.write(story)}"),
        human("detection-judgement", "Was that good enough? What could have seen it earlier?"),
        generated("timeline", f"## Timeline\n\n{_timeline(story)}"),
        human("timeline-beliefs", "What did people believe at the time, and what made them believe it?"),
        generated("response", f"## Response\n\n{response.write(story)}"),
        human("response-judgement", "How did working together go? Which hand-over or message was missing?"),
        generated("factors", f"## Contributing factors\n\n{factors.write(story)}"),
        human("factors-why", "Why did each of them make sense at the time? There is no single root cause."),
        generated("recovery", f"## Recovery\n\n{response.recovery(story)}"),
        generated("lessons", f"## What went well, what went badly, where we were lucky\n\n{lessons.write(story)}"),
        human("lessons-well", "What went well?"),
        human("lessons-badly", "What went badly?"),
        human("lessons-lucky", "Where were we lucky?"),
        generated("follow-ups", f"## Follow-ups\n\n{_follow_ups(story)}"),
        human("follow-ups-why", "Which of the contributing factors stays without a follow-up, and why is that fine?"),
        generated("evidence", f"## Evidence\n\n{evidence.write(story)}"),
        generated("end", _end(story)),
    ]


def _title(story: Story) -> str:
    drill = "DRILL " if story.is_drill else ""
    mark = f"\n\n> {DRILL}" if story.is_drill else ""
    zone = f" Times are UTC; in brackets as clocks of {inline(story.time_zone)} showed them." if story.time_zone else ""
    return f"# {drill}INC-{story.number}: {inline(story.title)}{mark}\n\n{LEGEND}{zone}"


def _front_matter(story: Story) -> str:
    lines = [
        f"incident: {story.number}",
        f"uid: {yaml_string(story.uid)}",
        f"title: {yaml_string(story.title)}",
        f"severity: {yaml_string(story.severity)}",
        f"status: {yaml_string(story.state)}",
        f"environment: {yaml_string(story.environment)}",
        *(["drill: true"] if story.is_drill else []),
        *([f"time_zone: {yaml_string(story.time_zone)}"] if story.time_zone else []),
        f"services: {_yaml_list(story.services)}",
        f"commander: {yaml_string(story.commander)}",
        f"participants: {_yaml_list(story.participants)}",
    ]
    for word, name in LIFE:
        at: datetime | None = getattr(story.moments, name)
        lines.append(f"{word}: {at:%Y-%m-%dT%H:%M:%SZ}" if at else f"{word}: null")
    for measure in story.measures:
        key = measure.name.lower().replace(" ", "_")
        lines.append(f"{key}_s: {'null' if measure.seconds is None else round(measure.seconds)}")
    lines.append(f"audit_digest: {yaml_string(story.audit.digest)}")
    lines.append(f"generated: {story.generated_at:%Y-%m-%dT%H:%M:%SZ}")
    lines.append(f"generator: {yaml_string(f'NovaOps {story.version}')}")
    drill = ("drill",) if story.is_drill else ()
    lines.append(f"tags: {_yaml_list(('post-mortem', *drill, story.severity.lower(), *story.services))}")
    return "\n".join(lines)


def _yaml_list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(yaml_string(text) for text in texts)}]"


def _summary(story: Story) -> str:
    """What happened, how long, how much of it people felt, who saw it first, and what ended it."""
    where = ", ".join(inline(service) for service in story.services) or "no named service"
    lasted = next(measure for measure in story.measures if measure.name == "Duration")
    how_long = f" for {lasted.text}" if lasted.seconds is not None else ""
    meaning = story.severity_meaning[:1].lower() + story.severity_meaning[1:]
    said = [
        f"From {story.when(story.moments.started_at)}{how_long}: {inline(story.title)}, on {where}.",
        f"{story.severity}: {inline(meaning)}",
        _felt(story),
        _seen(story),
        _ended(story),
    ]
    stated = f"\n\nImpact as it was stated in the room: {inline(story.impact)}" if story.impact.strip() else ""
    return " ".join(filter(None, said)) + stated


def _felt(story: Story) -> str:
    """The requests that failed, where they were counted; their source stands under Impact."""
    found = {one.label.rpartition(": ")[2]: one.value for one in story.numbers}
    failed, asked, share = (found.get(name) for name in ("Requests failed", "Requests", "Share of requests failed"))
    if failed is None or asked is None or share is None:
        return ""
    return f"{number(failed)} of {number(asked)} requests failed ({number(share)} %)."


def _seen(story: Story) -> str:
    alert = min(story.alerts, key=lambda one: one.fired_at, default=None)
    report = min(story.reports, key=lambda one: one.at, default=None)
    if alert and (report is None or alert.fired_at <= report.at):
        return f"The alert {inline(alert.title)} ({inline(alert.source)}) saw it first."
    return "A person saw it first." if report else ""


def _ended(story: Story) -> str:
    """The last action that succeeded before it was over; whether it was the one that helped is for people to say."""
    worked = [run for run in story.runs if run.status == "succeeded" and run.finished_at]
    if not worked:
        return ""
    return f"The last action that succeeded was {inline(worked[-1].title)}, at {story.when(worked[-1].finished_at)}."


def _life(story: Story) -> str:
    moments = [
        [word.capitalize(), story.clock(at), _since(story, at)]
        for word, name in LIFE
        for at in [getattr(story.moments, name)]
    ]
    measured = [[measure.name, measure.text, measure.meaning] for measure in story.measures]
    others = [name for name in story.participants if name != story.commander]
    people = [f"Commander: {inline(story.commander) or 'nobody'}."]
    people += [f"Also took part: {inline(', '.join(others))}."] if others else []
    return "\n\n".join(
        [
            table(["Moment", "UTC", "After the start"], moments),
            table(["Measure", "Value", "What it counts"], measured),
            " ".join(people),
        ]
    )


def _since(story: Story, at: datetime | None) -> str:
    start = story.moments.started_at
    return duration((at - start).total_seconds()) if at and start and at > start else ""


def _timeline(story: Story) -> str:
    rows = [
        [
            story.clock(line.at),
            f"**{line.kind}**" if line.key else line.kind,
            _text(line, story.base_url),
            inline(line.who),
        ]
        for line in story.timeline
    ]
    left = f"\n\n{story.timeline_left_out} more entries are on the incident's page." if story.timeline_left_out else ""
    return f"Key moments are bold.\n\n{table(['UTC', 'Kind', 'What', 'Who'], rows)}{left}"


def _text(line: Line, base_url: str) -> str:
    late = " (written down later)" if line.late else ""
    url = f"{base_url}{line.url}" if line.url.startswith("/") else line.url
    told = on_one_line(line.text)
    text = told if len(told) <= LONGEST_LINE else f"{told[:LONGEST_LINE]}…"
    return f"{link(text, url)}{late}"


def _follow_ups(story: Story) -> str:
    silent = [sign for sign in story.signs if sign.fired_at is None]
    asked = "\n".join(f"- Should {inline(sign.rule)} have fired? Its threshold was crossed." for sign in silent)
    ideas = f"\n\nTo decide upon:\n\n{asked}" if asked else ""
    return f"{_written_down(story)}{ideas}"


def _written_down(story: Story) -> str:
    if not story.follow_ups:
        return "None is written down yet."
    rows = [
        [
            inline(each.title),
            each.kind,
            inline(each.owner) or "nobody",
            f"{each.due:%Y-%m-%d}" if each.due else "no date",
            each.state,
        ]
        for each in story.follow_ups
    ]
    return table(["Follow-up", "Kind", "Owner", "Due", "State"], rows)


def _end(story: Story) -> str:
    audit = story.audit
    entries = (
        f"{audit.entries} audit entries, #{audit.first_seq} to #{audit.last_seq}, tell of this incident; the SHA-256 "
        f"over their hashes, in their order, is `{audit.digest}`"
        if audit.entries
        else "No audit entry tells of this incident"
    )
    return (
        f"---\n\nGenerated by NovaOps {story.version} at {story.when(story.generated_at)}. {entries}. "
        f"The head of the audit chain was #{audit.head_seq} with the hash `{audit.head_hash}`."
    )
