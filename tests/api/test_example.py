"""The incident that docs/api.md works from end to end goes through as it stands there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from incidents import reviews, telling
from incidents.models import Incident
from novaops.outbox.models import Message
from novaops.runbook import api_document
from novaops.runbook.api import api
from novaops.runbook.models import Run
from novaops.runbook.signals import run_finished
from tests.api.conftest import Program
from tests.incidents.conftest import make_run, place
from tests.servers import ROOT

__all__ = ["make_run", "place"]
DOCUMENT = ROOT / "docs" / "api.md"
LINE = re.compile(r"^nova (GET|POST|PUT|PATCH) (\S+)(?: '(.*)')?$", re.MULTILINE)


@pytest.mark.django_db
@pytest.mark.usefixtures("place")
def test_the_documented_incident_goes_through(
    program_of: Callable[..., Program],
    make_run: Callable[..., Run],
    commander: User,
    responder: User,
    tmp_path: Path,
    settings: object,
) -> None:
    settings.POSTMORTEM_ROOT = tmp_path  # type: ignore[attr-defined]
    program = program_of(commander)
    User.objects.create_user("amara")
    today = f"{timezone.now():%Y-%m-%d}"
    lines = LINE.findall(re.sub(r"\d{4}-\d\d-\d\d", today, DOCUMENT.read_text(encoding="utf-8")))
    assert len(lines) > 20
    for at, (method, path, body) in enumerate(lines):
        if path in ("plans", "runs"):
            _restarted(make_run(commander, status="succeeded", outcome="All are new.", finished_at=timezone.now()))
            continue
        answer = program.client.generic(
            method,
            f"/api/v1/{path}",
            body,
            content_type="application/json" if body else "",
            headers={"Idempotency-Key": str(at)},
        )
        assert answer.status_code in (200, 201), (method, path, answer.content)
        if path == "incidents/1/messages":
            _all_sent()
        if path.endswith("/review"):
            reviews.decide(1, "", approve=True, by=responder)
    assert Incident.objects.get().state == "closed"


def test_the_document_names_every_path_of_the_api() -> None:
    words = set(re.findall(r"[a-z][a-z.-]+", DOCUMENT.read_text(encoding="utf-8")))
    paths = api_document.document(api)["paths"]
    parts = {part for path in paths for part in path.removeprefix("/api/v1/").split("/") if not part.startswith("{")}
    assert parts - words == set()


def _restarted(run: Run) -> None:
    """The run that the worker would have made."""
    run_finished.send(Run, run=run)


def _all_sent() -> None:
    """What the worker does once the other side has answered."""
    for message in Message.objects.filter(state=Message.State.QUEUED):
        message.state, message.outcome_at = Message.State.SENT, timezone.now()
        message.save()
        telling.on_message_changed(message)
