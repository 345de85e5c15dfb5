"""Scale the API server's instances: always the whole number, within the bounds of the group."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import autoscaling
from novaops.runbook.models import Plan, Run
from novaops.runbook.registry import actions
from tests.actions.conftest import sent_by
from tests.servers import Nova

pytestmark = pytest.mark.django_db


@pytest.mark.long(6)
def test_it_scales_out_and_knows_the_way_back(fleet: Nova, run_through: Callable[..., Run], responder: User) -> None:
    fleet.faults([{"service": "autoscaling", "operation": "SetDesiredCapacity", "kind": "error-before", "times": 1}])
    run = run_through(responder, "scale-api-ec2", count=4)
    assert run.status == "succeeded", run.outcome
    assert sent_by(run, fleet) == ["SetDesiredCapacity", "SetDesiredCapacity"]
    assert len(autoscaling.group(environments.default(), "nova-api").in_service) == 4
    assert run.inverse.params == {"count": 2}


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(2, "2 instances are wanted already."), (7, "AWS refuses 7"), (1, "AWS refuses 1")],
)
def test_it_is_refused_outside_the_bounds(
    fleet: Nova, plan_of: Callable[..., Plan], responder: User, count: int, sentence: str
) -> None:
    assert sentence in " ".join(plan_of(responder, "scale-api-ec2", count=count).refusals)


def test_each_kind_of_api_server_has_its_own_actions(fleet: Nova) -> None:
    there = {key for key, action in actions.items() if action.service == "api"}
    applying = {key for key in there if actions[key]().applies(environments.default())}
    assert {"restart-api-ec2", "refresh-api-instances", "scale-api-ec2"} <= applying
    assert not applying & {"restart-api", "scale-api", "roll-back-api", "set-api-variable"}
