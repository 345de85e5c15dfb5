"""The connections to Nova's own PostgreSQL, one by one: who they are, what they do, and ending them."""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from novaops.cloud import nova_db
from novaops.cloud.errors import Ambiguous, Fenced, NotSent, OutsideError
from novaops.cloud.literals import masked
from novaops.environment import Environment

IDLE = "idle"
MOST_QUERY = 500
SESSIONS = """
    SELECT a.pid, a.backend_start, coalesce(a.state, ''), coalesce(a.usename, ''), coalesce(a.application_name, ''),
        coalesce(a.query, ''), coalesce(host(a.client_addr), ''),
        coalesce(extract(epoch FROM now() - a.backend_start), 0)::float8,
        coalesce(extract(epoch FROM now() - a.state_change), 0)::float8,
        a.pid = pg_backend_pid() OR a.application_name = %(own)s,
        a.backend_type <> 'client backend', coalesce(r.rolsuper, false), r.oid IS NOT NULL AND (
            pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))
    FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.datname = current_database() OR a.backend_type = 'walsender'
    ORDER BY a.state_change NULLS LAST, a.pid
"""
# Named by number and start: another connection that got the number of one that ended is not hit.
TERMINATE = """
    SELECT a.pid, pg_terminate_backend(a.pid) FROM pg_stat_activity a
    JOIN unnest(%(pids)s::int[], %(starts)s::timestamptz[]) AS wanted (pid, started_at)
        ON a.pid = wanted.pid AND a.backend_start = wanted.started_at
    JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.backend_type = 'client backend' AND NOT r.rolsuper
        AND a.pid <> pg_backend_pid() AND a.application_name <> %(own)s
        AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))
"""
SHOWN = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE (pid, backend_start) IN ({})"


@dataclass(frozen=True, kw_only=True)
class Session:
    """One connection. `age_s` is since it was opened, `in_state_s` since it does what it does now.

    `query` is its latest, with every literal masked. `protected` says why it is never ended; empty where it may be.
    """

    pid: int
    started_at: datetime | None
    state: str
    user: str
    application: str
    query: str
    address: str
    age_s: float
    in_state_s: float
    protected: str


def connections(dsn: str) -> list[Session]:
    """Every connection to Nova's database, longest in its state first. Raises OutsideError."""
    with nova_db.cursor(dsn) as asked:
        asked.execute(SESSIONS, {"own": nova_db.OWN})
        return [_session(*row) for row in asked.fetchall()]


def idle_longer_than(sessions: Iterable[Session], idle_s: float) -> list[Session]:
    """Those that wait for a command since so long, hold no transaction open, and may be ended."""
    return [one for one in sessions if one.state == IDLE and one.in_state_s > idle_s and not one.protected]


def _session(
    pid: int,
    started_at: datetime | None,
    state: str,
    user: str,
    application: str,
    query: str,
    address: str,
    age_s: float,
    in_state_s: float,
    own: bool,
    replication: bool,
    superuser: bool,
    allowed: bool,
) -> Session:
    return Session(
        pid=pid,
        started_at=started_at,
        state=state,
        user=user,
        application=application,
        query=masked(query)[:MOST_QUERY],
        address=address,
        age_s=age_s,
        in_state_s=in_state_s,
        protected=_protection(own, replication, superuser, seen=started_at is not None, allowed=allowed),
    )


def _protection(own: bool, replication: bool, superuser: bool, *, seen: bool, allowed: bool) -> str:
    reasons = {
        "NovaOps' own": own,
        "replication or a worker of PostgreSQL": replication,
        "a superuser's": superuser,
        "hidden from NovaOps' database user: grant it pg_monitor": not seen,
        "another role's: grant NovaOps' database user pg_signal_backend": not allowed,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


@dataclass(frozen=True)
class TerminateBackends:
    """pg_terminate_backend on connections named by pid and start: `sessions` are [pid, start in ISO 8601]."""

    name: str = "postgresql:pg_terminate_backend"

    def __call__(
        self, environment: Environment, params: dict[str, Any], *, fence: Callable[[], bool], run_id: int
    ) -> dict[str, Any]:
        """End them in one statement. Connecting proves nothing: what fails there was not sent."""
        wanted = {
            "pids": [pid for pid, _ in params["sessions"]],
            "starts": [datetime.fromisoformat(start) for _, start in params["sessions"]],
            "own": nova_db.OWN,
        }
        sent = False
        try:
            with nova_db.cursor(environment.database.dsn) as asked:
                if not fence():
                    raise Fenced(self.name)
                sent = True
                asked.execute(TERMINATE, wanted)
                return {"terminated": [pid for pid, done in asked.fetchall() if done]}
        except OutsideError as failure:
            proves = Ambiguous if sent else NotSent
            raise proves(f"{self.name}: {failure}", code=failure.code) from failure

    def command_line(self, params: dict[str, Any]) -> str:
        """The same for psql."""
        sessions = params["sessions"]
        if not isinstance(sessions, list):
            return f"psql, SELECT pg_terminate_backend(pid) of the {sessions}"
        named = ", ".join(f"({pid}, '{start}')" for pid, start in sessions)
        return f"psql -c {shlex.quote(SHOWN.format(named))}"


TERMINATE_BACKENDS = TerminateBackends()
