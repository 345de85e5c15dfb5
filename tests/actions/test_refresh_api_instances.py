"""Replace the API server's instances: one refresh, waited for by its own id."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import autoscaling
from novaops.cloud.aws import Operation
from novaops.runbook import requests
from novaops.runbook.models import Plan, Run
from tests.actions.conftest import advance, carry_on, sent_by
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def instances() -> set[str]:
    return set(autoscaling.group(environments.default(), "nova-api").in_service)


def test_it_replaces_every_instance_by_one_refresh(
    fleet: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    fleet.faults([{"service": "autoscaling", "operation": "StartInstanceRefresh", "kind": "drop-after", "times": 1}])
    before = instances()
    run = run_through(responder, "refresh-api-instances")
    assert run.status == "succeeded", run.outcome
    assert sent_by(run, fleet) == ["StartInstanceRefresh"]
    assert len(instances()) == 2
    assert not instances() & before


def test_it_is_refused_while_another_refresh_is_in_progress(
    fleet: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    group = {"AutoScalingGroupName": "nova-api"}
    autoscaling.START_INSTANCE_REFRESH(environments.default(), group, fence=lambda: True, run_id=0)
    assert "is still in progress" in " ".join(plan_of(responder, "refresh-api-instances").refusals)


def test_a_refresh_that_somebody_cancels_has_failed(fleet: Nova, plan_of: Callable[..., Plan], responder: User) -> None:
    plan = plan_of(responder, "refresh-api-instances")
    run = requests.request(plan, by=responder, reason="a rehearsal", idempotency_key="once")
    while not run.steps.filter(key="refresh", state="done").exists():
        advance(run)
    cancel = Operation("autoscaling:CancelInstanceRefresh")
    cancel(environments.default(), {"AutoScalingGroupName": "nova-api"}, fence=lambda: True, run_id=0)
    assert carry_on(run).status == "failed"
    assert "AWS calls the instance refresh Cancelled" in run.outcome
