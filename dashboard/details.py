"""What a service's page has below its charts: deployments, settings that matter, and what the last looks found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.collect import TOLD_AT
from dashboard.models import Reading
from dashboard.services.base import Service
from novaops.environment import Environment
from novaops.runbook.models import Run, Step
from novaops.runbook.states import RunStatus

BIGGEST_KEYS = "redis-biggest-keys"


@dataclass(frozen=True, kw_only=True)
class Known:
    """A setting as it was last told; `at` is None where it never was."""

    label: str
    value: str
    source: str
    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The biggest keys of Redis as a run found them."""

    run: Run
    sentence: str
    table: dict[str, Any]


def settings(service: Service, reading: Reading | None) -> list[Known]:
    """The settings of the service that matter, with their sources and when they were told."""
    facts = reading.facts if reading else {}
    told_at = facts.get(TOLD_AT, {})
    return [
        Known(label=one.label, value=_words(_fact(facts, one.fact)), source=one.source, at=_moment(told_at, one.source))
        for one in service.settings
    ]


def biggest_keys(environment: Environment) -> Keys | None:
    """What the last run that looked for them found; None where none has."""
    run = Run.objects.filter(environment=environment.name, action=BIGGEST_KEYS, status=RunStatus.SUCCEEDED).first()
    step = Step.objects.filter(run=run, key="scan").first() if run else None
    table = step.result.get("table") if step else None
    if run is None or step is None or not table:
        return None
    return Keys(run=run, sentence=step.sentence, table=table)


def _fact(facts: Mapping[str, Any], path: str) -> Any:
    value: Any = facts
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _moment(told_at: Mapping[str, str], source: str) -> datetime | None:
    text = told_at.get(source)
    return datetime.fromisoformat(text) if text else None
