"""A restored instance is set up as production is, and what it lacks is told to the second."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from backups import carry_over
from backups.models import Restore
from backups.restore_forms import setting_fields
from novaops.runbook.models import Plan, Run
from tests.actions.conftest import cluster as cluster
from tests.actions.conftest import declare as declare
from tests.backups import world
from tests.servers import Nova

pytestmark = pytest.mark.django_db


@pytest.mark.long(6)
def test_a_restored_instance_equals_production_and_tells_the_lost_rows_to_the_second(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    world.unlike_the_defaults()
    kept = world.a_second_ago(5)
    world.insert_users(kept)
    assert run_through(responder, "create-snapshot").status == "succeeded"
    lost = [world.a_second_ago(), world.a_second_ago() + timedelta(milliseconds=400)]
    world.insert_users(*lost)
    aws.faults([{"service": "rds", "operation": "RestoreDBInstanceFromDBSnapshot", "kind": "drop-after", "times": 1}])
    run = run_through(responder, "restore-snapshot")
    assert run.status == "succeeded", run.outcome
    (name,) = world.made_by(aws)
    assert name == f"nova-restored-{run.created_at.date()}-{run.pk}"
    production, restored = world.described("nova-db"), world.described(name)
    for setting in world.CARRIED_OVER:
        assert restored.get(setting) == production.get(setting), setting
    assert restored["Endpoint"]["Port"] == production["Endpoint"]["Port"]
    assert all(tag in restored["TagList"] for tag in production["TagList"])
    record = Restore.objects.get(run=run)
    (users,) = [table for table in record.tables if table["name"] == "users"]
    assert (users["lost_rows"], users["newest_at"]) == (2, kept.isoformat())
    assert (users["lost_from"], users["lost_until"]) == (lost[0].isoformat(), lost[1].isoformat())
    assert record.state == Restore.State.PROVEN
    assert record.rpo_s >= (lost[1] - kept).total_seconds()
    assert record.rto_s == pytest.approx((record.proven_at - run.queued_at).total_seconds())
    sentence = run.steps.get(key="rows-of-1").sentence
    assert f"from {lost[0]:%Y-%m-%d %H:%M:%S} UTC to {lost[1]:%Y-%m-%d %H:%M:%S} UTC" in sentence


@pytest.mark.long(6)
def test_a_point_in_time_has_what_was_there_then_and_the_settings_that_were_asked_for(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    before, after = world.a_second_ago(30), world.a_second_ago(20)
    world.insert_users(before, after)
    at = (before + timedelta(seconds=5)).isoformat()
    run = run_through(
        responder, "restore-to-time", at=at, instance_class="db.t4g.large", multi_az="no", deletion_protection="no"
    )
    assert run.status == "succeeded", run.outcome
    (name,) = world.made_by(aws)
    restored = world.described(name)
    assert (restored["DBInstanceClass"], restored["MultiAZ"]) == ("db.t4g.large", False)
    assert (restored["DeletionProtection"], restored["MonitoringInterval"]) == (False, 60)
    (users,) = [table for table in Restore.objects.get(run=run).tables if table["name"] == "users"]
    assert (users["newest_at"], users["lost_rows"]) == (before.isoformat(), 1)


@pytest.mark.long(6)
def test_another_key_is_put_on_a_copy_of_the_snapshot_that_is_deleted_again(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/0f0c7d1e-0b5a-4c52-9d0a-6e0f4f1b7a99"
    snapshots = len(world.rds().describe_db_snapshots()["DBSnapshots"])
    run = run_through(responder, "restore-snapshot", kms_key=key)
    assert run.status == "succeeded", run.outcome
    (name,) = world.made_by(aws)
    assert world.described(name)["KmsKeyId"] == key
    assert len(world.rds().describe_db_snapshots()["DBSnapshots"]) == snapshots


def test_a_snapshot_of_another_database_is_refused(aws: Nova, plan_of: Callable[..., Plan], responder: User) -> None:
    refusals = plan_of(responder, "restore-snapshot", snapshot="somebody-elses").refusals
    assert refusals == ["somebody-elses is not among those of nova-db."]


def test_a_moment_outside_of_the_backups_is_refused_with_what_they_reach(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    (refusal,) = plan_of(responder, "restore-to-time", at="2020-01-01T00:00:00+00:00").refusals
    assert refusal.startswith("2020-01-01 00:00:00 UTC cannot be restored: choose a moment between 20")


def test_a_class_that_is_not_offered_in_two_zones_is_refused_for_multi_az(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    plan = plan_of(responder, "restore-snapshot", instance_class="db.r6g.32xlarge")
    assert plan.refusals == ["AWS offers db.r6g.32xlarge in 1 zones, 2 needed: choose another class."]


def test_a_full_quota_is_found_before_anything_is_sent(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    rds = world.rds()
    for number in range(39):
        rds.create_db_instance(
            DBInstanceIdentifier=f"other-{number}", Engine="postgres", DBInstanceClass="db.t4g.micro"
        )
    (refusal,) = plan_of(responder, "restore-snapshot").refusals
    assert refusal.startswith("40 of 40 instances are used in the region")


def test_the_plan_shows_each_setting_of_production_and_what_it_costs(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    plan = plan_of(responder, "restore-snapshot", instance_class="db.t4g.large")
    shown = {change["what"]: (change["before"], change["after"]) for change in plan.changes}
    assert shown["Instance class"] == ("production: db.t4g.medium", "db.t4g.large")
    assert shown["Parameter group"] == ("production: nova-pg16", "nova-pg16")
    assert shown["Cost"][1].startswith("about 0.32 USD an hour")
    assert shown["Time"][1] == "about 30 min, more for large databases; none was restored here yet"
    assert plan.target == "nova-restored"


def test_every_setting_can_be_changed_in_the_form() -> None:
    assert set(setting_fields()) == {setting.key for setting in carry_over.SETTINGS}


@pytest.mark.long(6)
def test_a_clusters_snapshot_is_restored_into_an_instance_as_its_writer_is(
    aws: Nova, cluster: str, run_through: Callable[..., Run], plan_of: Callable[..., Plan], responder: User
) -> None:
    kept = world.a_second_ago(5)
    world.insert_users(kept)
    taken = run_through(responder, "create-snapshot")
    assert taken.status == "succeeded", taken.outcome
    run = run_through(responder, "restore-snapshot")
    assert run.status == "succeeded", run.outcome
    (effect,) = [one for one in aws.effects() if one["operation"] == "RestoreDBInstanceFromDBSnapshot"]
    assert effect["params"]["DBClusterSnapshotIdentifier"] == run.plan.facts["source"]["snapshot"]
    (name,) = world.made_by(aws)
    assert "DBClusterIdentifier" not in world.described(name)
    (users,) = [table for table in Restore.objects.get(run=run).tables if table["name"] == "users"]
    assert (users["lost_rows"], users["newest_at"]) == (0, kept.isoformat())
    assert any("becomes an instance" in check["sentence"] for check in run.plan.prechecks)
    refusals = plan_of(responder, "restore-snapshot", kms_key="arn:aws:kms:eu-west-1:123456789012:key/x").refusals
    assert refusals == ["RDS copies no snapshot of a cluster, so that it cannot be put under another key."]
