"""Copies in another region: made there, once, with a key of there, and read back from there."""

from collections.abc import Callable

import boto3
import pytest
from django.contrib.auth.models import User

from backups import collect
from backups.actions.copy_snapshot import CopySnapshot
from backups.models import Snapshot
from novaops import environment as declared
from novaops.cloud import rds_backups
from novaops.runbook.action import Context
from novaops.runbook.models import Plan, Run
from tests.actions.conftest import cluster as cluster
from tests.actions.conftest import declare as declare
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def test_a_snapshot_is_copied_once_to_the_region_that_is_named(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    aws.faults([{"service": "rds", "operation": "CopyDBSnapshot", "kind": "drop-after", "times": 1}])
    run = run_through(responder, "copy-snapshot")
    assert run.status == "succeeded", run.outcome
    source = run.plan.facts["snapshot"]
    name = f"{source.replace(':', '-')}-copy-{run.pk}"
    there = boto3.client("rds", region_name="eu-central-1").describe_db_snapshots(DBSnapshotIdentifier=name)
    copy = there["DBSnapshots"][0]
    assert (copy["Status"], copy["Encrypted"], copy["SourceRegion"]) == ("available", True, "eu-west-1")
    assert copy["KmsKeyId"] == declared.default().backups.copy_kms_key
    assert [one["operation"] for one in aws.effects()] == ["CopyDBSnapshot"]
    assert run.plan.calls[0]["command_line"].endswith("--region eu-central-1")
    collect.collect(declared.default(), early=True)
    row = Snapshot.objects.get(region="eu-central-1")
    assert (row.name, row.run, row.copied_from) == (name, run.pk, run.plan.facts["arn"])


def test_a_second_copy_is_warned_of(
    aws: Nova, run_through: Callable[..., Run], plan_of: Callable[..., Plan], responder: User
) -> None:
    run = run_through(responder, "copy-snapshot")
    again = plan_of(responder, "copy-snapshot")
    assert again.refusals == []
    assert any(f"-copy-{run.pk}." in check["sentence"] for check in again.prechecks)


def test_without_a_key_an_encrypted_snapshot_is_refused_before_anything_is_sent() -> None:
    environment = declared.default()
    bare = environment.backups.model_copy(update={"copy_kms_key": None})
    place = environment.model_copy(update={"backups": bare})
    facts = {"snapshot": "one", "arn": "arn", "status": "available", "encrypted": True, "now": {"copies": []}}
    ctx = Context(environment=place, target="nova-db", params={}, facts=facts)
    failed = [check.sentence for check in CopySnapshot().prechecks(ctx) if check.state == "failed"]
    assert failed == ["It is encrypted: name a key of eu-central-1 as backups.copy_kms_key in nova.toml."]


def test_it_is_only_offered_where_another_region_is_named() -> None:
    environment = declared.default()
    at_home = environment.backups.model_copy(update={"copy_to_region": None})
    assert CopySnapshot().applies(environment)
    assert not CopySnapshot().applies(environment.model_copy(update={"backups": at_home}))


def test_a_clusters_snapshot_is_taken_by_its_own_call(
    aws: Nova, cluster: str, run_through: Callable[..., Run], responder: User
) -> None:
    run = run_through(responder, "create-snapshot")
    assert run.status == "succeeded", run.outcome
    (effect,) = aws.effects()[-1:]
    assert effect["operation"] == "CreateDBClusterSnapshot"
    found = rds_backups.snapshot(declared.default(), "cluster", effect["params"]["DBClusterSnapshotIdentifier"])
    assert (found.status, found.tags["novaops:run"]) == ("available", str(run.pk))
