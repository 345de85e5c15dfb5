"""The simulated API tasks at work: what they really do to Nova's database and Redis while they run."""

import logging
import os
import threading
from datetime import UTC, datetime

import psycopg
import redis

from novaops.sandbox import load
from novaops.sandbox.ailments import ailments
from novaops.sandbox.aws import ecs
from novaops.sandbox.aws.ecs_model import Task
from novaops.sandbox.pools import Pools, Wish
from novaops.sandbox.running import database_is_up, running, variable
from novaops.sandbox.traffic import Traffic
from novaops.sandbox.world import world

ROUND_S = 0.5
log = logging.getLogger(__name__)


class ApiServers:
    """A thread of its own, so that a database or Redis that does not answer holds nobody up."""

    def __init__(self) -> None:
        self._pools, self._traffic = Pools(), Traffic()
        self._stopping = threading.Event()
        self._said = ""

    def start(self) -> None:
        """Be at work from the first moment on."""
        self._round()
        threading.Thread(target=self._run, daemon=True, name="api servers").start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(ROUND_S):
            try:
                self._round()
            except Exception:
                # Tasks run whatever somebody deployed: what one of them trips over must not end the others.
                log.exception("The API tasks tripped; they go on in the next round.")

    def _round(self) -> None:
        """What all tasks do in half a second. A failure is logged once, not each round."""
        with world.lock:
            wishes = {task.id: _wish(task) for task in running(ecs.API)}
            bloat = ailments.bloat
        said = " ".join(filter(None, [self._use_database(wishes), self._use_redis(list(wishes), bloat)]))
        if said and said != self._said:
            log.warning("The API tasks: %s", said)
        self._said = said

    def _use_database(self, wishes: dict[str, Wish]) -> str:
        dsn = os.environ.get("NOVA_DATABASE_URL")
        if not dsn:
            return ""
        try:
            self._pools.tend(dsn, wishes)
        except psycopg.Error as failure:
            return f"database: {failure}"
        with world.lock:
            ailments.full = self._pools.full
        return ""

    def _use_redis(self, tasks: list[str], bloat: float) -> str:
        url = os.environ.get("NOVA_REDIS_URL")
        if not url:
            return ""
        gets = load.cache_gets(datetime.now(UTC).timestamp(), ROUND_S)
        try:
            self._traffic.serve(url, tasks, gets, bloat)
        except redis.RedisError as failure:
            self._traffic.disconnect()
            return f"Redis: {failure}"
        return ""


def _wish(task: Task) -> Wish:
    """A pool as large as the traffic needs and DB_POOL_MAX lets it be; none where the database is down."""
    allowed = _pool_max(task)
    if not database_is_up():
        return Wish(0)
    size = min(load.POOL_OPEN, allowed)
    if task.id not in ailments.leaking:
        return Wish(size)
    return Wish(size, loses=load.LEAKS_A_S * world.factor * ROUND_S, most_lost=load.LOST_POOLS * allowed)


def _pool_max(task: Task) -> int:
    """DB_POOL_MAX where it is a number, else the server's own default, as the API takes it."""
    said = variable(task, "DB_POOL_MAX") or ""
    return int(said) if said.isdecimal() else load.POOL_OPEN


api_servers = ApiServers()
