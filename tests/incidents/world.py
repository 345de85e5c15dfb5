"""Readings of a Nova that is well."""

from datetime import datetime

from novaops.environment import Environment


def all_healthy(environment: Environment, *, since: datetime) -> None:
    """Every service has fresh values within its rules since `since`."""
