"""A rehearsed restore is proven, measured, certified and leaves nothing to pay for; one that is due is started."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from backups import beside, collect, drills, restore_records
from backups.models import Beside, Restore
from novaops import environment as environments
from novaops.runbook import approvals, planning, requests
from novaops.runbook.models import Approval, Plan, Run
from novaops.runbook.registry import actions
from tests.actions.conftest import carry_on
from tests.backups import world
from tests.servers import Nova

pytestmark = pytest.mark.django_db
RESTORED = "nova-restored-2026-11-24-17"


def plan_on(target: str, by: User, key: str = "delete-restored", **params: Any) -> Plan:
    plan = planning.draft(actions[key](), environments.default(), target, params, by=by, incident=None)
    planning.resolve(plan)
    return plan


@pytest.mark.long(10)
def test_a_drill_tells_the_lost_rows_to_the_second_and_leaves_nothing(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    kept = world.a_second_ago(5)
    world.insert_users(kept)
    assert run_through(responder, "create-snapshot").status == "succeeded"
    lost = [world.a_second_ago(), world.a_second_ago()]
    world.insert_users(*lost)
    run = run_through(responder, "restore-drill")
    assert run.status == "succeeded", run.outcome
    assert world.instances() == ["nova-db"]
    record = Restore.objects.get(run=run)
    (users,) = [table for table in record.tables if table["name"] == "users"]
    assert (users["lost_rows"], users["newest_at"]) == (2, kept.isoformat())
    assert (users["lost_from"], users["lost_until"]) == (lost[0].isoformat(), lost[1].isoformat())
    assert record.drill
    assert record.rto_s < (run.finished_at - run.queued_at).total_seconds()
    text = drills.certificate(record)
    assert f"- RTO, from asking to proven: {record.rto_s:.0f} s" in text
    assert f"| users | {users['rows']} | {kept.isoformat()} | 2 |" in text
    assert f"Run {run.pk}" in text


@pytest.mark.long(10)
def test_a_drill_that_fails_leaves_its_instance_listed_until_somebody_deletes_it(
    aws: Nova, run_through: Callable[..., Run], commander: User, commander2: User
) -> None:
    aws.faults([{"service": "rds", "operation": "ModifyDBInstance", "kind": "denied", "times": 1}])
    run = run_through(commander, "restore-drill")
    assert run.status == "failed"
    environment = environments.default()
    collect.collect(environment, early=True)
    (standing,) = beside.standings(environment)
    assert (standing.word, standing.left_over, standing.record.state) == ("Left over", True, Restore.State.FAILED)
    told = drills.read(environment, timezone.now()).values
    assert (told["drill_failed", ""], told["restored_left_over", ""]) == (1.0, 1)
    plan = plan_on(standing.instance.name, commander)
    assert plan.refusals == []
    deleting = requests.request(plan, by=commander, reason="left over", idempotency_key="delete")
    approvals.approve(Approval.objects.get(run=deleting), by=commander2)
    deleting.refresh_from_db()
    assert carry_on(deleting).status == "succeeded"
    collect.collect(environment, early=True)
    assert (beside.standings(environment), world.instances()) == ([], ["nova-db"])


def test_only_a_restored_instance_can_be_named(aws: Nova, commander: User) -> None:
    with pytest.raises(planning.Invalid, match="'nova-db' is not declared"):
        plan_on("nova-db", commander)
    assert plan_on(RESTORED, commander).refusals == [f"RDS does not know {RESTORED}: it is gone already."]


def test_what_carries_no_tag_of_a_restore_is_not_deleted(aws: Nova, commander: User) -> None:
    world.create(RESTORED)
    assert "It does not carry the tags of a restore of Sandbox." in plan_on(RESTORED, commander).refusals


def proven(run: Run, days_ago: float, **fields: Any) -> Restore:
    """A drill of the past."""
    at = timezone.now() - timedelta(days=days_ago)
    told = {"environment": "sandbox", "drill": True, "kind": "snapshot", "source": "s", "instance": f"i-{days_ago}"}
    return Restore.objects.create(run=run, asked_at=at, **{**told, "state": Restore.State.PROVEN, **fields})


@pytest.fixture
def past_run(aws: Nova, plan_of: Callable[..., Plan], responder: User) -> Callable[[], Run]:
    """Makes runs that are over."""

    def make() -> Run:
        plan = plan_of(responder, "create-snapshot")
        run = requests.request(plan, by=responder, reason="past", idempotency_key=str(plan.pk))
        Run.objects.filter(pk=run.pk).update(status="succeeded")
        run.refresh_from_db()
        return run

    return make


def test_a_drill_is_started_once_it_is_due_in_the_name_that_is_declared(
    past_run: Callable[[], Run], commander: User
) -> None:
    environment, now = environments.default(), timezone.now()
    assert drills.start_due(environment, now) is None
    record = proven(past_run(), 6)
    assert drills.start_due(environment, now) is None
    Restore.objects.filter(pk=record.pk).update(asked_at=now - timedelta(days=8))
    run = drills.start_due(environment, now)
    assert (run.action, run.requested_by, run.via) == ("restore-drill", commander, "schedule")
    assert drills.start_due(environment, now) is None
    assert drills.read(environment, now).values["drill_overdue", ""] == pytest.approx(1, abs=0.01)


def test_the_time_to_recover_ends_with_the_cut_over(past_run: Callable[[], Run]) -> None:
    record = proven(past_run(), 1, drill=False, instance=RESTORED, rto_s=600.0)
    cut = past_run()
    Run.objects.filter(pk=cut.pk).update(
        action="cut-over", params={"instance": RESTORED}, finished_at=record.asked_at + timedelta(minutes=20)
    )
    cut.refresh_from_db()
    for _again in range(2):
        restore_records.on_run_changed(run=cut)
    record.refresh_from_db()
    assert (record.rto_s, record.used_at) == (1200.0, cut.finished_at)
    Beside.objects.create(environment="sandbox", name=RESTORED, status="available", read_at=timezone.now())
    assert [one.word for one in beside.standings(environments.default())] == ["Nova uses it"]
