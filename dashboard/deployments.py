"""Deployments of Nova's services, kept beyond the time for which ECS lists them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dashboard.models import Deployment

SHOWN = 10


def keep(environment: str, facts: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
    """Store what this round's facts of each service say of its deployments."""
    rows = [_row(environment, kind, one, now) for kind, told in facts.items() for one in told.get("deployments", [])]
    Deployment.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["environment", "service", "deployment_id"],
        update_fields=["status", "rollout_state", "reason", "desired", "running", "failed_tasks", "seen_at"],
    )


def recent(environment: str, service: str) -> list[Deployment]:
    """The latest deployments of a service, the newest first."""
    return list(Deployment.objects.filter(environment=environment, service=service)[:SHOWN])


def _row(environment: str, service: str, one: Mapping[str, Any], now: datetime) -> Deployment:
    told = {name: one[name] for name in ("status", "rollout_state", "reason", "desired", "running", "failed_tasks")}
    return Deployment(
        environment=environment,
        service=service,
        deployment_id=one["id"][:60],
        task_definition=one["task_definition"],
        at=datetime.fromisoformat(one["at"]),
        seen_at=now,
        **told,
    )
