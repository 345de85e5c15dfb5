"""A scripted drill with recorded samples: an alert, declared, assessed, communicated, two actions, resolved."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from markdown_it import MarkdownIt

from dashboard import samples
from dashboard.models import Alert
from dashboard.samples import Key
from incidents import checklist
from incidents import incident as decide
from incidents.models import FollowUp, Incident
from incidents.postmortem.render import FRONT_MATTER, cleaner
from novaops.environment import Environment
from novaops.runbook.models import Run
from novaops.runbook.signals import run_finished

STEP = timedelta(seconds=30)
UNITS = {
    Key("api", "cpu"): "%",
    Key("api", "requests"): "requests",
    Key("api", "target_5xx"): "requests",
    Key("api", "elb_5xx"): "requests",
    Key("api", "error_rate"): "%",
    Key("api", "response_p95"): "s",
    Key("api", "healthy_targets"): "targets",
}


def value(key: Key, at: int) -> float:
    """A made-up but repeatable value of the sample number `at`: worse in the middle."""
    burning = 1.0 if 8 <= at <= 44 else 0.0
    values = {
        "cpu": 35 + 58 * burning + at % 3,
        "requests": 600 + at % 7,
        "target_5xx": burning * (60 + at % 11),
        "elb_5xx": burning * (at % 2),
        "error_rate": 10 * burning,
        "response_p95": 0.2 + burning * 1.37,
        "healthy_targets": 2.0,
    }
    return float(values[key.name])


def record(place: Environment, start: datetime, end: datetime) -> dict[Key, list[tuple[datetime, float]]]:
    """Write samples of the API server from ten minutes before to the end, and tell which."""
    first = start - timedelta(minutes=10)
    times = [first + STEP * at for at in range(int((end - first) / STEP) + 1)]
    series = samples.series_of(place.name, UNITS)
    told = {key: [(at, value(key, number)) for number, at in enumerate(times)] for key in UNITS}
    points = {(series[key].pk, at): found for key, line in told.items() for at, found in line}
    samples.write(points, timezone.now())
    return told


def drill(
    place: Environment,
    declare: Callable[..., Incident],
    make_run: Callable[..., Run],
    clear: Callable[..., None],
    commander: User,
) -> tuple[Incident, dict[Key, list[tuple[datetime, float]]]]:
    """The whole drill; the resolved incident and what was recorded."""
    now = timezone.now()
    incident = declare(commander)
    told = record(place, incident.started_at, now)
    checklist.complete(incident.number, "assess", by=commander)
    decide.message(incident.number, "slack", "We are on it", by=commander, url="https://slack.example/1")
    decide.message(incident.number, "status-page", "Investigating", by=commander, url="https://status.example/1")
    checklist.complete(incident.number, "communicate", by=commander)
    _run(make_run, commander, now - timedelta(minutes=9), "restart-api", "Restart the API server", "All tasks are new.")
    _run(make_run, commander, now - timedelta(minutes=7), "scale-api", "Scale the API server", "Four tasks run.")
    checklist.complete(incident.number, "mitigate", by=commander)
    clear(Alert.objects.get(), at=now - timedelta(minutes=3))
    follow_up = FollowUp(title="Scale earlier", kind="prevent", owner=commander, due=now.date())
    decide.add_follow_up(incident.number, follow_up, by=commander)
    return checklist.complete(incident.number, "resolve", by=commander), told


def _run(make: Callable[..., Run], by: User, began: datetime, action: str, title: str, outcome: str) -> None:
    values: dict[str, Any] = {"action": action, "title": title, "outcome": outcome, "status": "succeeded"}
    run = make(by, started_at=began, finished_at=began + timedelta(minutes=1), **values)
    run_finished.send(Run, run=run)


def elsewhere(text: str) -> str:
    """As another renderer of GFM shows the file: its own HTML, through the same allowlist of tags."""
    other = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return cleaner.clean(other.render(FRONT_MATTER.sub("", text)))


def lines(html: str) -> list[str]:
    """The lines of HTML that carry something: blocks that were left out leave blank ones."""
    return [line for line in html.splitlines() if line.strip()]
