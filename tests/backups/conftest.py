"""Fixtures of the backups' tests: those of the actions."""

from tests.actions.conftest import aws as aws
from tests.actions.conftest import plan_of as plan_of
from tests.actions.conftest import run_through as run_through
