"""Find the biggest Redis keys: a run that sends nothing and shows a table."""

from collections.abc import Callable

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client

from novaops.runbook.models import Plan, Run
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def test_it_shows_the_biggest_keys_and_sends_nothing(
    aws: Nova,
    run_through: Callable[..., Run],
    client_of: Callable[[User], Client],
    responder: User,
    nova_redis: "redis.Redis",
) -> None:
    nova_redis.set("session:<b>1</b>", "x" * 500_000)
    nova_redis.rpush("jobs", *["y" * 100] * 2000)
    run = run_through(responder, "redis-biggest-keys")
    assert run.status == "succeeded", run.outcome
    assert "The biggest is session:<b>1</b> (string) with" in run.outcome
    assert aws.effects() == []
    page = client_of(responder).get(run.get_absolute_url()).content.decode()
    assert '<td data-label="Key">session:&lt;b&gt;1&lt;/b&gt;</td>' in page
    assert '<td data-label="Type">list</td>' in page


def test_its_plan_has_no_call(
    aws: Nova, plan_of: Callable[..., Plan], responder: User, nova_redis: "redis.Redis"
) -> None:
    plan = plan_of(responder, "redis-biggest-keys")
    assert (plan.calls, plan.refusals) == ([], [])
    assert "Redis answers as master." in [one["sentence"] for one in plan.prechecks]
