"""The simulated world as a whole: it begins, starts over, or is restored from its journal."""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data

from novaops.sandbox import gaps, rpc, sinks
from novaops.sandbox.aws import (
    autoscaling,
    cloudwatch,
    ecs,
    elasticache,
    elbv2,
    fleet,
    logs,
    notifications,
    rds,
    secrets,
    server,
    ssm,
)
from novaops.sandbox.consequences import consequences
from novaops.sandbox.faults import effects, faults
from novaops.sandbox.journal import journal
from novaops.sandbox.ledgers import network
from novaops.sandbox.processes import processes, report_exit
from novaops.sandbox.scenarios import stage
from novaops.sandbox.ticker import HISTORY, ticker
from novaops.sandbox.world import world

# Metrics of a replayed past are written for this long only: nobody looks further back in a sandbox.
WORTH = timedelta(hours=1)


# In the order in which they are seeded: ECS tasks register with the target group.
SERVICES: list[Any] = [elbv2, autoscaling, notifications, cloudwatch, logs, ecs, rds, elasticache, fleet, ssm, secrets]
STUBS: list[Any] = [rpc, sinks]

aws = server.application()


def install() -> None:
    """Put everything of ours in place of moto's. Once per process, before the first request."""
    server.install()
    for service in SERVICES:
        service.install()
    consequences.attach()


def start_over(*, seed: int, factor: float, past: timedelta = HISTORY) -> None:
    """A freshly seeded calm world begins now, with metrics of so long a past, and its journal with it."""
    with world.lock, world.at(world.now()):
        journal.begin(seed=seed, factor=factor)
        _begin(seed, factor, past)


def _begin(seed: int, factor: float, past: timedelta = HISTORY) -> None:
    network.keep_pace()
    world.reset(seed=seed, factor=factor)
    BackendDict.reset()
    reset_model_data()
    for service in SERVICES:
        service.reset()
    for service in SERVICES:
        service.seed()
    for stub in STUBS:
        stub.reset()
    faults.set([])
    effects.clear()
    consequences.start_over()
    processes.forget()
    stage.play("calm")
    ticker.begin(world.now(), past)


def restore(*, seed: int, factor: float) -> None:
    """Go on where the journal ends; without one, start over. The journal's own seed and factor are kept."""
    entries = list(journal.read())
    if not entries:
        start_over(seed=seed, factor=factor)
        return
    worth_from = datetime.now(UTC) - WORTH
    first = entries[0]
    with world.lock:
        with world.at(first["at"]):
            _begin(first["seed"], first["factor"])
        for entry in entries[1:]:
            ticker.catch_up(entry["at"], worth_from=worth_from)
            with world.at(entry["at"]):
                _replay(entry)
        ticker.catch_up(datetime.now(UTC), worth_from=worth_from)
    consequences.forget_moments()
    journal.open()


def _replay(entry: dict[str, Any]) -> None:
    match entry["kind"]:
        case "request":
            server.replay(entry, aws)
        case "scenario":
            stage.play(entry["name"])
        case "exit":
            report_exit(entry["task"], entry["code"])
        case "gap":
            gaps.note(tuple(entry["gap"]) if entry["gap"] else None)


def play(name: str) -> None:
    """Start a scenario, now. Raises UnknownScenarioError."""
    with world.lock, world.at(world.now()):
        world.advance()
        stage.play(name)
        journal.write("scenario", name=name)
