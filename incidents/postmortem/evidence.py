"""What proves the document: charts with their data, log excerpts, the alerts as they came, the checklist's evidence."""

from collections.abc import Iterator

from incidents.postmortem import chart
from incidents.postmortem.escape import fence, inline, link, on_one_line, table
from incidents.postmortem.story import Story

MOST_PAYLOADS = 20


def write(story: Story) -> str:
    """Charts, excerpts, payloads, the proofs of each step, links."""
    parts = [*_charts(story), _proofs(story), *_excerpts(story), *_payloads(story), _links(story)]
    return "\n\n".join(part for part in parts if part)


def _charts(story: Story) -> Iterator[str]:
    if not story.charts:
        yield "No samples are recorded that could be drawn."
    for one in story.charts:
        yield chart.draw(one)


def _excerpts(story: Story) -> Iterator[str]:
    for one in story.excerpts:
        yield chart.folded(f"{story.when(one.at)}: {one.title}", fence("\n".join(one.lines)))


def _payloads(story: Story) -> Iterator[str]:
    for alert in story.alerts[:MOST_PAYLOADS]:
        summary = f"Alert as it was recorded: {alert.title}, {story.when(alert.fired_at)}"
        yield chart.folded(summary, fence(alert.payload, "json"))


def _proofs(story: Story) -> str:
    steps = [(step.title, step) for step in story.steps]
    steps += [(f"INC-{one.number}: {step.title}", step) for one in story.merged for step in one.steps]
    rows = [
        [title, story.clock(at), inline(kind), inline(on_one_line(text))]
        for title, step in steps
        for at, kind, text in step.evidence
    ]
    if not rows:
        return "No step was closed on evidence."
    return f"What each step was closed on:\n\n{table(['Step', 'UTC', 'Kind', 'What'], rows)}"


def _links(story: Story) -> str:
    """The pages of NovaOps that tell more, and where else people wrote."""
    pages = [(f"INC-{story.number}: the room", f"{story.base_url}/incidents/{story.number}/")]
    pages += [(f"Run: {run.title}", f"{story.base_url}{run.url}") for run in story.runs if run.url]
    pages += [(on_one_line(line.text)[:80], line.url) for line in story.messages if line.url.startswith("http")]
    pages.append(("Audit entries", f"{story.base_url}/audit/?incident={story.number}"))
    listed = "\n".join(f"- {link(title, url)}" for title, url in dict.fromkeys(pages))
    return f"Where more stands:\n\n{listed}"
