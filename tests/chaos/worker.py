"""Workers without a broker: `python -m tests.chaos.worker N` keeps N processes that claim due runs and advance them.

They are forked from one that has everything loaded, so that a killed one is back at once; the parent kills one at
random every now and then.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import django
from django.db import Error, close_old_connections, connection
from django.db.models import Q
from django.db.models.functions import Now

IDLE_S = 0.05
AT_ONCE = 8


def work(dice: random.Random) -> None:
    """One worker: what the sweep finds due, advanced as the task does."""
    from novaops.runbook import engine
    from novaops.runbook.models import Run
    from novaops.runbook.states import DRIVEN

    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    while True:
        try:
            close_old_connections()
            due = list(
                Run.objects.filter(free, status__in=DRIVEN, next_at__lte=Now()).values_list("pk", flat=True)[:40]
            )
            for run_id in dice.sample(due, min(AT_ONCE, len(due))):
                # Now and then delivered ten times: nine find nothing to do, or make the next transition.
                for _ in range(10 if dice.random() < 0.1 else 1):
                    engine.advance(run_id)
            if not due:
                time.sleep(IDLE_S)
        except Error:
            connection.close()
            time.sleep(0.1)


def keep(count: int, seed: int, directory: Path) -> None:
    """Keep `count` workers alive, and kill one at random every second or so."""
    dice, children, born = random.Random(f"{seed}:kills"), set[int](), 0
    next_kill_at = time.monotonic() + dice.uniform(1, 5)
    while True:
        while len(children) < count:
            born += 1
            children.add(_forked(random.Random(f"{seed}:worker:{born}")))
        if time.monotonic() > next_kill_at:
            os.kill(dice.choice(sorted(children)), signal.SIGKILL)
            next_kill_at = time.monotonic() + dice.uniform(1, 5)
        ended, _ = os.waitpid(-1, os.WNOHANG)
        if ended:
            children.discard(ended)
            with (directory / "ended").open("a", encoding="utf-8") as log:
                log.write(f"{time.time()} {ended}\n")
        else:
            time.sleep(0.01)


def _forked(dice: random.Random) -> int:
    child = os.fork()
    if child == 0:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        work(dice)
    return child


def main() -> None:
    django.setup()
    from novaops import environment as environments
    from novaops.cloud import aws
    from tests.chaos import strokes

    strokes.install()
    aws.prepare(environments.default(), ("ecs", "rds", "elbv2"))
    connection.close()
    keep(int(sys.argv[1]), strokes.SEED, strokes.DIRECTORY)


if __name__ == "__main__":
    main()
