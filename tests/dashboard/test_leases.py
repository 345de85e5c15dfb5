"""Leases: one collector at a time, and when an environment is due again."""

import pytest
from django.db import connection

from dashboard import leases

pytestmark = pytest.mark.django_db


def pass_time(seconds: float) -> None:
    """Let the lease and its next time be that much nearer to their end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dashboard_lease SET until = until - make_interval(secs => %s),"
            " due_at = due_at - make_interval(secs => %s)",
            [seconds, seconds],
        )


def test_a_second_collector_gets_nothing():
    assert leases.claim("sandbox", 5)
    assert leases.claim("sandbox", 5, early=True) == 0


def test_it_is_due_again_after_its_interval():
    leases.release("sandbox", leases.claim("sandbox", 5))
    assert leases.claim("sandbox", 5) == 0
    pass_time(5)
    assert leases.claim("sandbox", 5)


def test_a_round_by_hand_need_not_be_due():
    leases.release("sandbox", leases.claim("sandbox", 5))
    assert leases.claim("sandbox", 5, early=True)


def test_a_dead_collectors_lease_ends_by_itself_and_its_token_is_worth_nothing():
    old = leases.claim("sandbox", 5)
    pass_time(leases.LEASE_S)
    new = leases.claim("sandbox", 5)
    assert new > old
    assert not leases.held("sandbox", old)
    leases.release("sandbox", old)
    assert leases.held("sandbox", new)
    assert leases.claim("sandbox", 5, early=True) == 0


def test_environments_do_not_wait_for_each_other():
    assert leases.claim("sandbox", 5)
    assert leases.claim("production", 5)
