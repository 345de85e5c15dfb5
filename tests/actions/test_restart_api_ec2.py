"""Restart the API server by systemd: one instance at a time, each serving again before the next."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from dashboard.actions.restart_api_ec2 import RestartApiEc2
from novaops import environment as environments
from novaops.runbook.action import Context
from novaops.runbook.models import Plan, Run
from tests.actions.conftest import sent_by
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def test_the_plan_names_each_instance_and_its_command(
    fleet: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    plan = plan_of(responder, "restart-api-ec2")
    assert plan.refusals == []
    assert [call["params"]["InstanceIds"] for call in plan.calls] == [[name] for name in plan.facts["instances"]]
    assert len(plan.calls) == 2
    assert "sudo systemctl restart nova-api" in plan.calls[0]["command_line"]


def test_it_restarts_one_after_the_other(fleet: Nova, run_through: Callable[..., Run], responder: User) -> None:
    fleet.faults([{"service": "ssm", "operation": "SendCommand", "kind": "drop-after", "times": 1}])
    run = run_through(responder, "restart-api-ec2")
    assert run.status == "succeeded", run.outcome
    assert sent_by(run, fleet) == ["SendCommand", "SendCommand"]
    assert [one["params"]["Comment"] for one in fleet.effects()] == [f"novaops run {run.pk}"] * 2
    first, second = run.plan.facts["instances"]
    assert run.steps.get(key=f"restart-{first}").calls.get().outcome == "observed"
    assert run.steps.get(key=f"serves-{first}").finished_at <= run.steps.get(key=f"restart-{second}").started_at


def test_a_command_that_fails_leaves_the_other_instances_alone(
    fleet: Nova, run_through: Callable[..., Run], responder: User, settings: Settings, tmp_path: Path
) -> None:
    wrong = tmp_path / "nova.toml"
    declared = Path(settings.NOVA_TOML).read_text(encoding="utf-8")
    wrong.write_text(declared.replace('systemd_unit = "nova-api"', 'systemd_unit = "nova-old"'), encoding="utf-8")
    settings.NOVA_TOML = wrong
    environments.environments.cache_clear()
    run = run_through(responder, "restart-api-ec2")
    assert (run.status, sent_by(run, fleet)) == ("failed", ["SendCommand"])
    assert "command not found" in run.outcome
    assert "were not touched" in run.outcome


def test_it_warns_where_nobody_else_serves_and_refuses_what_ssm_does_not_reach(fleet: Nova) -> None:
    facts = {"instances": ["i-1", "i-2"], "offline": ["i-2"], "now": {"states": {"i-1": "healthy"}}}
    ctx = Context(environment=environments.default(), target="nova-api", params={}, facts=facts)
    checks = {check.state: check.sentence for check in RestartApiEc2().prechecks(ctx)}
    assert "does not reach i-2" in checks["failed"]
    assert "requests fail while one restarts" in checks["warning"]
