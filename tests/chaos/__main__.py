"""`make chaos`: so many runs in a storm, the matrix of what they met and how they ended, exit 1 on a broken promise."""

import argparse
import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

import django
from django.core.management import call_command
from django.db import connection

from novaops.sandbox.child import Child
from tests.chaos.choices import Trouble, trouble
from tests.chaos.place import Place
from tests.servers import ROOT

if TYPE_CHECKING:
    from tests.chaos.clients import Clients
    from tests.chaos.oracle import Evidence

SHOWN = 20


def main() -> int:
    """Run the storm and judge it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--celery", type=int, help="how many of the runs real Celery workers drive (a twentieth)")
    parser.add_argument("--keep", action="store_true", help="leave logs and marks behind")
    asked = parser.parse_args()
    of_celery = asked.runs // 20 if asked.celery is None else asked.celery
    place = Place(asked.seed)
    try:
        place.start()
        django.setup()
        call_command("migrate", verbosity=0)
        return _judge(asked.runs, *_storms(place, asked.runs, of_celery, asked.workers))
    finally:
        if asked.keep:
            sys.stdout.write(f"logs: {place.directory}\n")
            place.keep()
        place.stop()


def _storms(place: Place, runs: int, of_celery: int, workers: int) -> "tuple[Clients, Evidence, float]":
    """First the storm's own workers, then those of Celery; what was seen of both."""
    from tests.chaos.clients import Clients, people
    from tests.chaos.oracle import Evidence
    from tests.chaos.storm import Storm

    began = time.monotonic()
    all_troubles = deque(trouble(place.seed, index) for index in range(runs))
    clients = Clients(place, deque(), *people(), limit_s=300 + runs)
    storm = Storm(place, random.Random(f"{place.seed}:storm"))
    for count, started in ((runs - of_celery, _own(place, workers)), (of_celery, _celery(place, workers))):
        if not count:
            continue
        place.workers = list(started)
        storm.celery = [one for one in place.workers if "celery" in one.name]
        _drive(clients, storm, deque(all_troubles.popleft() for _ in range(count)))
        for one in place.workers:
            one.stop(1)
    connection.close()
    evidence = Evidence(place.ledger(), clients.unknown, place.marks, storm.happened, runs)
    return clients, evidence, time.monotonic() - began


def _drive(clients: "Clients", storm: object, troubles: deque[Trouble]) -> None:
    clients.take(troubles)
    thread = threading.Thread(target=clients.drive, name="clients")
    thread.start()
    storm.rage(clients.ended, every_s=(3.0, 7.0))  # type: ignore[attr-defined]
    thread.join()


def _own(place: Place, workers: int) -> Iterator[Child]:
    one = place.child("workers", "tests.chaos.worker", str(workers))
    one.start()
    yield one


def _celery(place: Place, workers: int) -> Iterator[Child]:
    for number in range(max(2, workers - 1)):
        name = f"celery-{number}"
        argv = [sys.executable, "-m", "celery", "-A", "novaops", "worker", "-l", "WARNING", "-Q", "runs", "-c", "1"]
        argv += ["--without-gossip", "--without-mingle", "-I", "tests.chaos.celery_strokes", "-n", f"{name}@storm"]
        one = Child(name=name, argv=argv, log=place.directory / f"{name}.log", cwd=ROOT, environment={**os.environ})
        one.start()
        yield one


def _judge(runs: int, clients: "Clients", evidence: "Evidence", took_s: float) -> int:
    from tests.chaos import oracle

    for line in oracle.matrix(evidence):
        sys.stdout.write(f"{line}\n")
    took = sorted(oracle.took_s(run) for run in evidence.runs)
    ended = evidence.marks / "ended"
    deaths = len(ended.read_text().splitlines()) if ended.exists() else 0
    events = ", ".join(
        sorted({f"{sum(e[0] == what for e in evidence.happened)} x {what}" for what, *_ in evidence.happened})
    )
    sys.stdout.write(
        f"\n{len(evidence.runs)} runs ({runs} asked) in {took_s:.0f} s; workers killed: {deaths}; {events}.\n"
        f"A run took {median(took):.1f} s (median), {took[-1]:.1f} s at most. "
        f"{len(evidence.ledger)} calls, {sum(entry['changed'] for entry in evidence.ledger)} effects, "
        f"{len(evidence.unknown)} unknown, {clients.refused_elsewhere} refused because the target was busy.\n"
    )
    broken = [*clients.defects, *oracle.violations(evidence)]
    for sentence in broken[:SHOWN]:
        sys.stdout.write(f"BROKEN {sentence}\n")
    sys.stdout.write(f"{len(broken)} broken promises.\n" if broken else "Every promise was kept.\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
