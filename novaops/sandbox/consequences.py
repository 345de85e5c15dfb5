"""What a change in the simulated AWS does to Nova's real database and real Redis: connections cut, settings changed."""

import logging
import os
import threading
from collections.abc import Callable

import psycopg
import redis

from novaops.sandbox.aws import elasticache, rds, rds_clusters
from novaops.sandbox.aws.elasticache_model import MEMORY_GIB
from novaops.sandbox.databases import databases, forget

TIMEOUT_S = 1
SEEDED_NODE_TYPE = "cache.t4g.small"
# What the scenarios and ElastiCache's parameters change, and what a new beginning puts back.
SETTINGS = ("maxmemory", "maxmemory-policy")
log = logging.getLogger(__name__)


class Consequences:
    """Collected under the world's lock where they arise, carried out by the ticker without it, as they may take time.

    `moments` are cut connections: of a replayed past they mean nothing. `settings` are the Redis parameters that hold.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moments: list[Callable[[], None]] = []
        self._settings: dict[str, str] = {}
        self._originals: dict[str, str] = {}

    def attach(self) -> None:
        """Listen to the simulated RDS and ElastiCache. Once per process."""
        databases.attach(self.add)
        rds.on_restart.append(self._database_restarted)
        elasticache.on_failover.append(self._cache_failed_over)
        elasticache.on_parameter.append(self._cache_parameter)
        elasticache.on_node_type.append(self._cache_node_type)

    def start_over(self) -> None:
        """Nothing has happened, and Redis gets its first settings again."""
        with self._lock:
            self._moments = [forget]
            self._settings = dict(self._originals)

    def forget_moments(self) -> None:
        """What was cut in a replayed past was cut then."""
        with self._lock:
            self._moments.clear()

    def carry_out(self) -> None:
        """Do what has come up since the last time; what fails is logged and not tried again."""
        with self._lock:
            moments, self._moments = self._moments, []
            settings, self._settings = self._settings, {}
        for moment in moments:
            _attempt(moment)
        if settings:
            _attempt(lambda: self._set(settings))

    def _database_restarted(self, instance: str) -> None:
        if instance == rds.NOVA_DB or instance == rds_clusters.writer_of(rds_clusters.NOVA_CLUSTER):
            self.add(cut_database_connections)

    def _cache_failed_over(self, group: str, _node: str) -> None:
        if group == elasticache.NOVA_CACHE:
            self.add(cut_redis_connections)

    def add(self, moment: Callable[[], None]) -> None:
        """Let this be done soon, once."""
        with self._lock:
            self._moments.append(moment)

    def _cache_parameter(self, group: str, name: str, value: str) -> None:
        if group == elasticache.NOVA_CACHE and name in SETTINGS:
            with self._lock:
                self._settings[name] = value

    def _cache_node_type(self, group: str, node_type: str) -> None:
        if group == elasticache.NOVA_CACHE:
            with self._lock:
                self._settings["node-type"] = node_type

    def _set(self, settings: dict[str, str]) -> None:
        client = _redis()
        if client is None:
            return
        if not self._originals:
            self._originals = {name: str(client.config_get(name)[name]) for name in SETTINGS}
        if node_type := settings.pop("node-type", None):
            share = MEMORY_GIB[node_type] / MEMORY_GIB[SEEDED_NODE_TYPE]
            settings["maxmemory"] = str(int(int(self._originals["maxmemory"]) * share))
        for name, value in settings.items():
            client.config_set(name, value)


def _attempt(act: Callable[[], None]) -> None:
    try:
        act()
    except (psycopg.Error, redis.RedisError) as failure:
        log.warning("Nova's own %s", failure)


def cut_database_connections() -> None:
    """What a restart or failover of the instance does to everybody who is connected."""
    dsn = os.environ.get("NOVA_DATABASE_URL")
    if not dsn:
        return
    with psycopg.connect(dsn, connect_timeout=TIMEOUT_S, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )


def cut_redis_connections() -> None:
    """What a failover of the cache does to everybody who is connected."""
    client = _redis()
    if client is not None:
        client.client_kill_filter(_type="normal", skipme=True)


def _redis() -> "redis.Redis | None":
    url = os.environ.get("NOVA_REDIS_URL")
    if not url:
        return None
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True)


consequences = Consequences()
