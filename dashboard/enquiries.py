"""What pages ask of the outside: a row is written, a worker looks, the page polls. Pages themselves never ask AWS."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery.exceptions import CeleryError
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError, OperationalError

from dashboard import log_lines
from dashboard.models import Enquiry
from novaops import environment as declared
from novaops import retention
from novaops.audit import chain
from novaops.cloud import logs, nova_sessions
from novaops.cloud.errors import OutsideError
from novaops.cloud.logs import Line
from novaops.environment import Environment

logger = logging.getLogger(__name__)

LOGS = "logs"
CONNECTIONS = "connections"
# Asked again within this time, the same question has the same answer.
SAME = timedelta(seconds=10)
# So long a query may run at CloudWatch, looked at every AGAIN_S.
LONGEST_QUERY = timedelta(seconds=60)
AGAIN_S = 1.0
MOST_LINES = 200
MOST_CONNECTIONS = 200
MOST_GROUPS = 20
# What is longer is for Logs Insights: FilterLogEvents would go through it page by page.
FILTERED_MINUTES = 60


def subjects(environment: Environment, kind: str) -> tuple[str, ...]:
    """What can be asked of a service there."""
    log = (LOGS,) if log_group(environment, kind) else ()
    return (*log, CONNECTIONS) if kind == "database" and environment.database.dsn else log


def log_group(environment: Environment, kind: str) -> str:
    """The log group of a service; empty where nova.toml declares none."""
    if kind == "events":
        return environment.events.log_group
    of_api = environment.api.ecs or environment.api.ec2
    return of_api.log_group if kind == "api" and of_api else ""


def ask(environment: Environment, kind: str, subject: str, params: dict[str, Any], by: User) -> Enquiry:
    """Ask a worker; the same question of a moment ago is answered by its row. Records who looks at what."""
    now = timezone.now()
    with transaction.atomic():
        same = Enquiry.objects.filter(environment=environment.name, service=kind, subject=subject, params=params)
        before = same.filter(asked_at__gte=now - SAME).exclude(state=Enquiry.State.FAILED).first()
        if before:
            return before
        retention.forget(Enquiry, now)
        made = Enquiry.objects.create(
            environment=environment.name, service=kind, subject=subject, params=params, asked_by=by, asked_at=now
        )
        transaction.on_commit(partial(_ring, str(made.pk)))
        chain.record(
            f"{subject}.asked", by=by, subject=environment.target(kind), environment=environment.name, detail=params
        )
    return made


def _ring(pk: str) -> None:
    """Tell a worker. Where the broker does not answer the page says that nobody has looked yet."""
    from dashboard.tasks import answer

    try:
        answer.apply_async((pk,))
    except (OperationalError, KombuError, CeleryError, OSError) as failure:
        logger.warning("The broker did not take an enquiry: %s", type(failure).__name__)


def latest(environment: Environment, kind: str) -> dict[str, Enquiry]:
    """The newest enquiry of each subject of a service."""
    rows = Enquiry.objects.filter(environment=environment.name, service=kind).order_by("subject", "-asked_at")
    return {row.subject: row for row in rows.distinct("subject")}


def carry_on(pk: str) -> float | None:
    """Look, and keep what was told. In how many seconds to look again; None where it is done, or somebody else's."""
    row = Enquiry.objects.filter(pk=pk).first()
    environment = declared.get(row.environment) if row else None
    if row is None or environment is None or not row.pending:
        return None
    try:
        told = LOOKS[row.subject](environment, row)
    except OutsideError as failure:
        _end(row, Enquiry.State.FAILED, str(failure), {})
        return None
    if told is None:
        return AGAIN_S
    _end(row, Enquiry.State.TOLD, "", told)
    return None


def _end(row: Enquiry, state: Enquiry.State, sentence: str, told: Mapping[str, Any]) -> None:
    row.state, row.sentence, row.answer, row.told_at = state, sentence, dict(told), timezone.now()
    row.save(update_fields=["state", "sentence", "answer", "told_at"])


def _logs(environment: Environment, row: Enquiry) -> dict[str, Any] | None:
    text, only_errors, minutes = row.params["text"], row.params["only_errors"], row.params["minutes"]
    group, start, end = log_group(environment, row.service), row.asked_at - timedelta(minutes=minutes), row.asked_at
    if minutes > FILTERED_MINUTES:
        return _queried(environment, row, group, log_lines.insights_query(text, only_errors=only_errors), start)
    pattern = log_lines.filter_pattern(text, only_errors=only_errors)
    lines = logs.newest(environment, group, start=start, end=end, pattern=pattern, limit=MOST_LINES)
    wanted = [line for line in lines if not only_errors or log_lines.is_error(line)]
    return _told(wanted, group, "FilterLogEvents", full=len(lines) == MOST_LINES)


def _queried(environment: Environment, row: Enquiry, group: str, query: str, start: datetime) -> dict[str, Any] | None:
    if not row.query_id:
        row.query_id = logs.start_query(environment, group, query, start=start, end=row.asked_at, limit=MOST_LINES)
        row.state = Enquiry.State.LOOKING
        row.save(update_fields=["query_id", "state"])
        return None
    lines = logs.query_result(environment, row.query_id)
    if lines is None and timezone.now() - row.asked_at > LONGEST_QUERY:
        raise OutsideError(f"Logs Insights has not answered within {LONGEST_QUERY.seconds} s: ask for less")
    return None if lines is None else _told(lines, group, "Logs Insights", full=len(lines) == MOST_LINES)


def _told(lines: list[Line], group: str, source: str, *, full: bool) -> dict[str, Any]:
    """The newest line first, and the errors in groups."""
    shown = [
        {"at": line.at.isoformat(), "stream": line.stream.rpartition("/")[2], "message": log_lines.shown(line.message)}
        for line in reversed(lines)
    ]
    found = [asdict(one) for one in log_lines.groups(lines)[:MOST_GROUPS]]
    groups = [{**one, "first_at": one["first_at"].isoformat(), "last_at": one["last_at"].isoformat()} for one in found]
    return {"lines": shown, "groups": groups, "full": full, "source": f"{source} of {group}"}


def _connections(environment: Environment, _: Enquiry) -> dict[str, Any]:
    found = nova_sessions.connections(environment.database.dsn)
    states: dict[str, int] = {}
    for one in found:
        states[one.state or "no client"] = states.get(one.state or "no client", 0) + 1
    rows = [{**asdict(one), "started_at": ""} for one in found[:MOST_CONNECTIONS]]
    counts = sorted(states.items(), key=lambda item: -item[1])
    return {"rows": rows, "states": counts, "number": len(found), "source": "pg_stat_activity"}


LOOKS: dict[str, Callable[[Environment, Enquiry], dict[str, Any] | None]] = {LOGS: _logs, CONNECTIONS: _connections}
