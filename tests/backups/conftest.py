"""Fixtures of the backups' tests: those of the actions, in a world where a restore takes seconds."""

import pytest

from tests.actions.conftest import FAST
from tests.actions.conftest import plan_of as plan_of
from tests.actions.conftest import run_through as run_through
from tests.backups.world import forget_users
from tests.servers import Nova


@pytest.fixture
def aws(sandbox: Nova) -> Nova:
    """The simulated AWS, calm, in a fast world."""
    sandbox.reset(factor=FAST)
    forget_users()
    return sandbox
