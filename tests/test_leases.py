"""Leases: one collector at a time, and when an environment is due again, for each of the apps that collect."""

from datetime import timedelta

import pytest
from django.db.models import F

import backups.models
import dashboard.models

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[dashboard.models.Lease, backups.models.Lease], ids=["dashboard", "backups"])
def lease(request):
    return request.param


def pass_time(lease, seconds):
    """Let the lease and its next time be that much nearer to their end."""
    passed = timedelta(seconds=seconds)
    lease.objects.update(until=F("until") - passed, due_at=F("due_at") - passed)


def test_a_second_collector_gets_nothing(lease):
    assert lease.claim("sandbox", 5)
    assert lease.claim("sandbox", 5, early=True) == 0


def test_it_is_due_again_after_its_interval_or_when_somebody_says_so(lease):
    lease.release("sandbox", lease.claim("sandbox", 5))
    assert lease.claim("sandbox", 5) == 0
    pass_time(lease, 5)
    lease.release("sandbox", lease.claim("sandbox", 5))
    lease.make_due("sandbox")
    assert lease.claim("sandbox", 5)


def test_a_round_by_hand_need_not_be_due(lease):
    lease.release("sandbox", lease.claim("sandbox", 5))
    assert lease.claim("sandbox", 5, early=True)


def test_a_dead_collectors_lease_ends_by_itself_and_its_token_is_worth_nothing(lease):
    old = lease.claim("sandbox", 5)
    pass_time(lease, lease.length_s)
    new = lease.claim("sandbox", 5)
    assert new > old
    assert not lease.held("sandbox", old)
    lease.release("sandbox", old)
    assert lease.held("sandbox", new)
    assert lease.claim("sandbox", 5, early=True) == 0


def test_environments_do_not_wait_for_each_other(lease):
    assert lease.claim("sandbox", 5)
    assert lease.claim("production", 5)
