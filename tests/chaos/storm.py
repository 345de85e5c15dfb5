"""What the storm does to the servers: PostgreSQL restarted, crashed and cut off, Redis emptied, stopped and frozen."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis

from novaops.sandbox.child import Child, until
from tests.chaos.place import Place

OTHER_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'novaops'"
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE usename = 'novaops'"


@dataclass
class Storm:
    """Lets one thing happen after the other; `happened` keeps what, from when to when."""

    place: Place
    dice: random.Random
    happened: list[tuple[str, float, float]] = field(default_factory=list)
    # The Celery workers of the moment, to be killed as a whole; empty where the workers are the storm's own.
    celery: list[Child] = field(default_factory=list)

    def rage(self, ended: threading.Event, *, every_s: tuple[float, float]) -> None:
        """Until the runs are over. In the main thread: servers die with the thread that started them."""
        events: list[Callable[[], None]] = []
        while not ended.wait(self.dice.uniform(*every_s)):
            if not events:
                events = [*EVENTS, *([kill_celery] * 4 if self.celery else [])]
                self.dice.shuffle(events)
            event, began_at = events.pop(), time.time()
            event(self)
            until(self.place.postgresql.child.ready, 60)
            self.happened.append((event.__doc__ or "", began_at, time.time()))

    def connected(self) -> psycopg.Connection[Any]:
        """A connection to PostgreSQL; after a backend was killed it may be in recovery once more."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return psycopg.connect(self.place.postgresql.dsn("postgres"), autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                until(self.place.postgresql.child.ready, 60)

    def restart_postgresql(self) -> None:
        self.place.postgresql.child.start()
        until(self.place.postgresql.child.ready, 60)


def stop_postgresql(storm: Storm) -> None:
    """PostgreSQL restarted"""
    storm.place.postgresql.child.stop()
    storm.restart_postgresql()


def crash_postgresql(storm: Storm) -> None:
    """PostgreSQL crashed"""
    process = storm.place.postgresql.child.process
    if process:
        process.send_signal(signal.SIGQUIT)
        process.wait(10)
    storm.restart_postgresql()


def cut_connections(storm: Storm) -> None:
    """connections cut"""
    with storm.connected() as connection:
        connection.execute(OTHER_CONNECTIONS)


def kill_backend(storm: Storm) -> None:
    """a backend kill -9"""
    with storm.connected() as connection:
        backends = connection.execute(BACKENDS).fetchall()
    if backends:
        os.kill(storm.dice.choice(backends)[0], signal.SIGKILL)


def flush_redis(storm: Storm) -> None:
    """Redis flushed"""
    redis.Redis.from_url(storm.place.redis.url()).flushall()


def stop_redis(storm: Storm) -> None:
    """Redis stopped"""
    storm.place.redis.child.stop()
    time.sleep(1.5)
    storm.place.redis.child.start()
    storm.place.redis.wait_ready()


def freeze_redis(storm: Storm) -> None:
    """Redis frozen"""
    process = storm.place.redis.child.process
    if process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        process.send_signal(signal.SIGCONT)


def kill_celery(storm: Storm) -> None:
    """a Celery worker kill -9"""
    victim = storm.dice.choice(storm.celery)
    if victim.process:
        os.killpg(victim.process.pid, signal.SIGKILL)
        victim.process.wait(10)
    victim.start()


EVENTS = (stop_postgresql, crash_postgresql, cut_connections, kill_backend, flush_redis, stop_redis, freeze_redis)
