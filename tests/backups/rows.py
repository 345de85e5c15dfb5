"""Rows of databases and snapshots as the collector would have left them."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from backups.models import Database, Snapshot
from novaops import environment as declared

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def database(name: str = "nova-db", **changes: Any) -> Database:
    """A database whose backups are as the policy asks, read just now."""
    now = timezone.now()
    calm = {
        "environment": declared.default().name,
        "name": name,
        "kind": "instance",
        "status": "available",
        "engine": "postgres 16.8",
        "storage_gb": 100,
        "encrypted": True,
        "multi_az": True,
        "retention_days": 7,
        "window": "03:00-03:30",
        "latest_restorable_at": now - timedelta(seconds=5),
        "earliest_restorable_at": now - 7 * DAY,
        "created_at": now - 100 * DAY,
        "quota_used": 3,
        "quota_most": 100,
        "asked_at": now,
        "read_at": now,
    }
    return Database.objects.create(**(calm | changes))


def unsaved_snapshot(of: Database, name: str, created_at: datetime, **changes: Any) -> Snapshot:
    """An available, encrypted snapshot; automated unless told otherwise."""
    now = timezone.now()
    calm = {
        "region": declared.default().region,
        "kind": "automated",
        "status": "available",
        "percent": 100,
        "expires_at": created_at + 7 * DAY,
        "size_gb": 100,
        "engine_version": "16.8",
        "encrypted": True,
        "first_seen_at": now,
        "read_at": now,
    }
    return Snapshot(database=of, name=name, created_at=created_at, **(calm | changes))


def snapshot(of: Database, name: str, created_at: datetime | None = None, **changes: Any) -> Snapshot:
    """That snapshot in the database."""
    made = unsaved_snapshot(of, name, created_at or timezone.now() - HOUR, **changes)
    made.save()
    return made
