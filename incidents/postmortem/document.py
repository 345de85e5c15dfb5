"""Writes a post-mortem from its facts: what a machine can know is filled, what people must say carries a prompt.

Every text that came from outside goes through `escape`. Times are UTC. The document is blameless: roles before names.
"""

from datetime import datetime

from incidents.postmortem import detection, evidence, factors, impact, lessons, response
from incidents.postmortem.escape import inline, link, table, yaml_string
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
    where = ", ".join(inline(service) for service in story.services) or "no named service"
    lasted = next(measure for measure in story.measures if measure.name == "Duration")
    how_long = f" It lasted {lasted.text}." if lasted.seconds is not None else ""
    worked = [run for run in story.runs if run.status == "succeeded"]
    ended = f" The last action that succeeded was {inline(worked[-1].title)}." if worked else ""
    said = f"\n\nImpact as it was stated in the room: {inline(story.impact)}" if story.impact.strip() else ""
    first = f"{inline(story.title)}, on {where}. {story.severity}: {inline(story.severity_meaning)}"
    return f"{first}{how_long}{ended}{said}"


def _life(story: Story) -> str:
    moments = [[word.capitalize(), story.clock(getattr(story.moments, name))] for word, name in LIFE]
    measured = [[measure.name, f"{measure.text} ({measure.meaning})"] for measure in story.measures]
    roles = [
        ["Commander", inline(story.commander) or "nobody"],
        ["Participants", inline(", ".join(story.participants))],
    ]
    return table(["What", "UTC, or how long"], [*moments, *measured, *roles])


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
    text = line.text if len(line.text) <= LONGEST_LINE else f"{line.text[:LONGEST_LINE]}…"
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
