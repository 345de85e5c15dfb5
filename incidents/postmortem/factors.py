"""Candidates for what contributed to an incident: deployments, changes, exhausted limits, failures outside."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from incidents.postmortem.escape import inline, table
from incidents.postmortem.story import AlertFact, RunFact, Story


class Factor(StrEnum):
    """What a candidate is an example of; people choose the main one from the same words."""

    DEPLOYMENT = "deployment"
    CONFIGURATION = "configuration"
    LIMIT = "limit"
    EXTERNAL = "external"
    HARDWARE = "hardware"
    OTHER = "other"


WORDS = {
    Factor.DEPLOYMENT: "Deployment",
    Factor.CONFIGURATION: "Configuration change",
    Factor.LIMIT: "Exhausted limit",
    Factor.EXTERNAL: "External system",
    Factor.HARDWARE: "Failure of a machine or zone",
    Factor.OTHER: "Something else",
}
OF_RULES = {
    "high-cpu": Factor.LIMIT,
    "database-cpu": Factor.LIMIT,
    "connections-refused": Factor.LIMIT,
    "connection-exhaustion": Factor.LIMIT,
    "free-storage": Factor.LIMIT,
    "redis-memory": Factor.LIMIT,
    "redis-evictions": Factor.LIMIT,
    "rpc-unhealthy": Factor.EXTERNAL,
    "backup-rpc-unhealthy": Factor.EXTERNAL,
    "database-unavailable": Factor.HARDWARE,
    "redis-no-primary": Factor.HARDWARE,
}
OF_ACTIONS = {
    "set-api-variable": Factor.CONFIGURATION,
    "set-redis-maxmemory-policy": Factor.CONFIGURATION,
    "use-rds-proxy": Factor.CONFIGURATION,
    "switch-rpc": Factor.CONFIGURATION,
    "scale-api": Factor.CONFIGURATION,
    "scale-api-ec2": Factor.CONFIGURATION,
    "scale-redis-node": Factor.CONFIGURATION,
    "restart-api": Factor.DEPLOYMENT,
    "roll-back-api": Factor.DEPLOYMENT,
}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One candidate: what kind of factor it would be, since when, and what says so."""

    factor: Factor
    at: datetime
    text: str


def candidates(story: Story) -> list[Candidate]:
    """Everything recorded that may have contributed, oldest first."""
    found = [*_changes(story), *(_run(run) for run in story.earlier_runs), *_limits(story.alerts)]
    return sorted(found, key=lambda one: one.at)


def _changes(story: Story) -> Iterator[Candidate]:
    for at, text in story.earlier_changes:
        yield Candidate(factor=Factor.DEPLOYMENT, at=at, text=text)


def _run(run: RunFact) -> Candidate:
    factor = OF_ACTIONS.get(run.action, Factor.OTHER)
    return Candidate(factor=factor, at=run.requested_at, text=f"{run.title} on {run.target} ({run.status})")


def _limits(alerts: tuple[AlertFact, ...]) -> Iterator[Candidate]:
    told: set[str] = set()
    for alert in alerts:
        factor = OF_RULES.get(alert.rule)
        if factor and alert.rule not in told:
            told.add(alert.rule)
            yield Candidate(factor=factor, at=alert.started_at, text=f"{alert.title}: {alert.sentence}")


def write(story: Story) -> str:
    """The candidates as a table; which of them mattered is for people to say."""
    found = candidates(story)
    if not found:
        return (
            "No deployment, change, exhausted limit or failure outside is recorded of the hour before and of the time."
        )
    rows = [[story.clock(one.at), WORDS[one.factor], inline(one.text)] for one in found]
    said = "Candidates, from what is recorded of the hour before the start and of the incident itself:"
    return f"{said}\n\n{table(['UTC', 'Kind', 'What is recorded'], rows)}"
