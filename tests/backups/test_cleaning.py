"""Deleting old manual snapshots: only what is old, ours and unclaimed; never the newest; each once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from backups import claims, cleaning
from backups.claims import Claim
from backups.cleaning import Wanted
from novaops import environment as environments
from novaops.cloud.rds_snapshots import Snapshot
from novaops.runbook import approvals, engine, requests
from novaops.runbook.models import Approval, Plan, Run
from tests.actions.conftest import carry_on
from tests.backups import world
from tests.sandbox.conftest import eventually
from tests.servers import Nova

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAYS_30 = Wanted(before=NOW - timedelta(days=30))


def told(name: str, age_days: float, kind: str = "manual", status: str = "available", **tags: str) -> Snapshot:
    return Snapshot(
        id=name,
        instance="nova-db",
        kind=kind,
        status=status,
        percent=100,
        created_at=NOW - timedelta(days=age_days),
        size_gb=100,
        engine_version="16.8",
        encrypted=True,
        tags={"novaops:run": "1", **{key.replace("_", ":"): value for key, value in tags.items()}},
    )


def names(found: cleaning.Sorted) -> list[str]:
    return [one.id for one in found.free]


def test_only_old_manual_ones_are_free_the_oldest_first() -> None:
    known = [told("new", 1), told("old", 40), told("older", 90), told("rds:night", 50, kind="automated")]
    assert names(cleaning.sort(known, {}, DAYS_30)) == ["older", "old"]


def test_what_is_spared_is_spared_with_a_reason() -> None:
    known = [
        told("new", 1),
        told("claimed", 40),
        told("kept", 41, novaops_keep="yes"),
        told("copying", 42, status="copying"),
        told("foreign", 43),
    ]
    known[-1].tags.clear()
    claimed = {"claimed": [Claim(snapshot="claimed", sentence="INC-42 is open.")]}
    found = cleaning.sort(known, claimed, DAYS_30)
    assert names(found) == []
    assert found.spared == {
        "claimed": "INC-42 is open.",
        "kept": "it is tagged novaops:keep",
        "copying": "it is copying",
        "foreign": "NovaOps did not take it",
    }
    assert names(cleaning.sort(known, claimed, Wanted(before=DAYS_30.before, foreign=True))) == ["foreign"]


def test_one_that_is_named_need_not_be_old_but_may_not_be_the_newest() -> None:
    known = [told("newest", 1), told("second", 2)]
    assert names(cleaning.sort(known, {}, Wanted(before=NOW, named="second"))) == ["second"]
    assert cleaning.sort(known, {}, Wanted(before=NOW, named="newest")).spared == {"newest": "it is the newest"}


@given(
    ages=st.lists(
        st.tuples(
            st.floats(0, 400), st.sampled_from(["manual", "automated"]), st.sampled_from(["available", "failed"])
        ),
        max_size=12,
    ),
    before=st.integers(0, 400),
)
def test_the_newest_that_can_be_restored_is_never_free(ages: list[tuple[float, str, str]], before: int) -> None:
    known = [told(f"s{n}", age, kind, status) for n, (age, kind, status) in enumerate(ages)]
    found = cleaning.sort(known, {}, Wanted(before=NOW - timedelta(days=before)))
    good = [one for one in known if one.status == "available"]
    left = [one for one in good if one not in found.free]
    assert bool(left) == bool(good)
    manual = [one for one in good if one.kind == "manual"]
    if manual:
        assert max(manual, key=lambda one: one.created_at) not in found.free


@pytest.fixture
def three(aws: Nova) -> list[str]:
    """Three manual snapshots with the tag of a run, the newest last, in a world that hurries through taking them."""
    aws.reset(factor=600)
    rds = world.rds()
    made = []
    for number in range(3):
        name = f"pre-deploy-2026-11-2{number}-sandbox-{number}"
        tags = [{"Key": "novaops:run", "Value": f"{number + 100}"}]
        eventually(lambda: rds.describe_db_instances(), _is_calm, timeout_s=20)
        rds.create_db_snapshot(DBInstanceIdentifier="nova-db", DBSnapshotIdentifier=name, Tags=tags)
        made.append(name)
    eventually(lambda: rds.describe_db_instances(), _is_calm, timeout_s=20)
    return made


def _is_calm(answer: dict[str, Any]) -> bool:
    return bool(answer["DBInstances"][0]["DBInstanceStatus"] == "available")


def manual() -> list[str]:
    found = world.rds().describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return [one["DBSnapshotIdentifier"] for one in found]


@pytest.mark.django_db
def test_each_is_deleted_once_though_the_answer_is_lost(
    aws: Nova, run_through: Callable[..., Run], three: list[str], responder: User
) -> None:
    aws.faults([{"service": "rds", "operation": "DeleteDBSnapshot", "kind": "drop-after", "times": 1}])
    run = run_through(responder, "delete-snapshots", snapshot=three[0])
    assert run.status == "succeeded", run.outcome
    deleted = [one["params"]["DBSnapshotIdentifier"] for one in aws.effects() if one["operation"] == "DeleteDBSnapshot"]
    assert deleted == [three[0]]
    assert manual() == three[1:]


@pytest.mark.django_db
def test_nothing_young_and_never_the_newest_is_in_a_plan(
    aws: Nova, plan_of: Callable[..., Plan], three: list[str], responder: User
) -> None:
    plan = plan_of(responder, "delete-snapshots")
    assert "may be deleted" in plan.refusals[0]
    newest = plan_of(responder, "delete-snapshots", snapshot=three[-1])
    assert newest.refusals
    assert f"{three[-1]} stays: it is the newest." in [check["sentence"] for check in newest.prechecks]
    assert plan_of(responder, "delete-snapshots", snapshot="rds:nova-db-none").refusals


@pytest.mark.django_db
def test_one_that_is_claimed_after_the_plan_is_not_deleted(
    aws: Nova, plan_of: Callable[..., Plan], three: list[str], commander: User, commander2: User
) -> None:
    plan = plan_of(commander, "delete-snapshots", snapshot=three[0])
    run = requests.request(plan, by=commander, reason="tidy up", idempotency_key=f"plan:{plan.pk}")
    approvals.approve(Approval.objects.get(run=run), by=commander2)
    claims.claimants.append(lambda _place: [Claim(snapshot=three[0], sentence="INC-42 is open.")])
    try:
        run.refresh_from_db()
        carry_on(run)
    finally:
        claims.claimants.pop()
    assert run.status == "failed"
    assert "chosen" in run.outcome
    assert manual() == three


@pytest.mark.django_db
def test_one_that_is_claimed_at_the_last_moment_is_not_deleted(
    aws: Nova, plan_of: Callable[..., Plan], three: list[str], commander: User, commander2: User
) -> None:
    plan = plan_of(commander, "delete-snapshots", snapshot=three[0])
    run = requests.request(plan, by=commander, reason="tidy up", idempotency_key=f"plan:{plan.pk}")
    approvals.approve(Approval.objects.get(run=run), by=commander2)
    engine.advance(run.pk)
    claims.claimants.append(lambda _place: [Claim(snapshot=three[0], sentence="INC-42 is open.")])
    try:
        run.refresh_from_db()
        carry_on(run)
    finally:
        claims.claimants.pop()
    assert (run.status, manual()) == ("failed", three)
    assert "is needed by now: INC-42 is open." in run.outcome


@pytest.mark.django_db
def test_what_a_run_restores_is_claimed_until_the_run_is_over(
    aws: Nova, plan_of: Callable[..., Plan], three: list[str], responder: User
) -> None:
    place = environments.default()
    plan = plan_of(responder, "restore-snapshot", snapshot=three[0])
    run = requests.request(plan, by=responder, reason="a rehearsal", idempotency_key=f"plan:{plan.pk}")
    (claim,) = claims.of(place)[three[0]]
    assert claim.sentence == f"Run {run.pk} works with it and is not over."
    spared = plan_of(responder, "delete-snapshots", snapshot=three[0])
    assert f"{three[0]} stays: Run {run.pk} works with it and is not over." in [
        check["sentence"] for check in spared.prechecks
    ]
    requests.cancel(run, by=responder)
    engine.advance(run.pk)
    assert three[0] not in claims.of(place)


@pytest.mark.django_db
def test_a_copy_in_the_other_region_is_deleted_there_once_and_never_the_newest(
    aws: Nova, run_through: Callable[..., Run], plan_of: Callable[..., Plan], responder: User
) -> None:
    old, new = (f"night-copy-{number}" for number in (1, 2))
    there = boto3.client("rds", region_name="eu-central-1")
    source = world.rds().describe_db_snapshots()["DBSnapshots"][0]["DBSnapshotArn"]
    for name in (old, new):
        there.copy_db_snapshot(
            SourceDBSnapshotIdentifier=source,
            TargetDBSnapshotIdentifier=name,
            KmsKeyId=environments.default().backups.copy_kms_key,
            Tags=[{"Key": "novaops:run", "Value": "100"}],
        )
    eventually(lambda: there.describe_db_snapshots(), _all_available, timeout_s=20)
    newest = plan_of(responder, "delete-copies", snapshot=new)
    assert f"{new} stays: it is the newest." in [check["sentence"] for check in newest.prechecks]
    aws.faults([{"service": "rds", "operation": "DeleteDBSnapshot", "kind": "drop-after", "times": 1}])
    run = run_through(responder, "delete-copies", snapshot=old)
    assert run.status == "succeeded", run.outcome
    assert run.plan.calls[0]["command_line"].endswith("--region eu-central-1")
    assert [one["DBSnapshotIdentifier"] for one in there.describe_db_snapshots()["DBSnapshots"]] == [new]
    deleted = [one["params"]["DBSnapshotIdentifier"] for one in aws.effects() if one["operation"] == "DeleteDBSnapshot"]
    assert deleted == [old]


def _all_available(answer: dict[str, Any]) -> bool:
    return all(one["Status"] == "available" for one in answer["DBSnapshots"])
