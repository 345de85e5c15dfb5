"""Reading backups: what a round keeps of every database, and what a silent AWS may not do to it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from backups import collect, tasks
from backups.models import Database, Lease, Snapshot
from novaops import environment as declared
from novaops.cloud import rds_backups
from novaops.cloud.errors import Ambiguous
from novaops.cloud.rds_snapshots import Snapshot as Told
from novaops.environment import Environment, KeptDatabase
from novaops.runbook.models import Run
from tests.backups import world
from tests.sandbox.conftest import eventually
from tests.servers import Nova

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment() -> Environment:
    return declared.default()


def round_of(environment: Environment) -> collect.Round:
    done = collect.collect(environment, early=True)
    assert done is not None
    return done


def kept(environment: Environment, *also: KeptDatabase) -> Environment:
    return environment.model_copy(update={"backups": environment.backups.model_copy(update={"also": also})})


def test_a_round_keeps_what_rds_tells_of_the_database(aws: Nova, environment: Environment) -> None:
    done = round_of(environment)
    assert (done.databases, done.snapshots, done.failed) == (1, 7, [])
    database = Database.objects.get()
    assert (database.name, database.kind, database.retention_days) == ("nova-db", "instance", 7)
    assert (database.window, database.encrypted, database.failed) == ("03:00-03:30", True, "")
    assert database.latest_restorable_at > timezone.now() - timedelta(minutes=1)
    assert database.earliest_restorable_at < timezone.now() - timedelta(days=5)
    assert (database.quota_used, database.quota_most) == (0, 100)
    newest = Snapshot.objects.first()
    assert (newest.kind, newest.status, newest.encrypted, newest.is_good) == ("automated", "available", True, True)
    assert newest.expires_at - newest.created_at == timedelta(days=7)
    assert newest.region == environment.region


def test_a_snapshot_of_ours_says_who_took_it_why_and_for_which_deployment(
    aws: Nova, environment: Environment, run_through: Callable[..., Run], responder: User
) -> None:
    run = run_through(responder, "create-snapshot", deployment="api@9f31c2")
    round_of(environment)
    taken = Snapshot.objects.get(kind="manual")
    assert (taken.run, taken.taken_by, taken.reason) == (run.pk, "responder", "a rehearsal")
    assert (taken.deployment, taken.status, taken.percent) == ("api@9f31c2", "available", 100)


def test_what_is_gone_is_kept_as_gone(aws: Nova, environment: Environment) -> None:
    rds = world.rds()
    rds.create_db_snapshot(DBInstanceIdentifier="nova-db", DBSnapshotIdentifier="by-hand")
    round_of(environment)
    taken = Snapshot.objects.get(name="by-hand")
    assert (taken.run, taken.taken_by, taken.status) == (None, "", "creating")
    eventually(lambda: rds.describe_db_snapshots(DBSnapshotIdentifier="by-hand"), _is_available, timeout_s=20)
    rds.delete_db_snapshot(DBSnapshotIdentifier="by-hand")
    round_of(environment)
    taken.refresh_from_db()
    assert taken.gone_at is not None
    assert Snapshot.objects.filter(gone_at=None).count() == 7


def _is_available(answer: dict) -> bool:
    return answer["DBSnapshots"][0]["Status"] == "available"


def test_clusters_and_further_databases_are_read_too(aws: Nova, environment: Environment) -> None:
    rds = world.rds()
    rds.create_db_cluster(DBClusterIdentifier="reports", Engine="postgres", DBClusterInstanceClass="db.m6gd.large")
    eventually(lambda: rds.describe_db_clusters(), lambda a: a["DBClusters"][0]["Status"] == "available", timeout_s=20)
    rds.create_db_cluster_snapshot(DBClusterIdentifier="reports", DBClusterSnapshotIdentifier="before-migration")
    done = round_of(kept(environment, KeptDatabase(kind="cluster", id="reports")))
    assert (done.databases, done.failed) == (2, [])
    cluster = Database.objects.get(name="reports")
    assert (cluster.kind, cluster.latest_restorable_at is not None, cluster.quota_used) == ("cluster", True, 1)
    assert cluster.snapshots.get().name == "before-migration"
    round_of(environment)
    cluster.refresh_from_db()
    assert list(Database.objects.filter(left_at=None).values_list("name", flat=True)) == ["nova-db"]
    assert cluster.snapshots.get().gone_at is None
    round_of(kept(environment, KeptDatabase(kind="cluster", id="reports")))
    assert not Database.objects.exclude(left_at=None).exists()


def test_where_aws_is_silent_the_last_answer_stays_with_its_time(aws: Nova, environment: Environment) -> None:
    round_of(environment)
    before = Database.objects.get()
    aws.faults([{"service": "rds", "operation": "*", "kind": "outage", "times": 50}])
    done = round_of(environment)
    after = Database.objects.get()
    assert done.failed
    assert (after.read_at, after.latest_restorable_at) == (before.read_at, before.latest_restorable_at)
    assert after.asked_at > before.asked_at
    assert "rds:DescribeDBInstances" in after.failed
    assert Snapshot.objects.filter(gone_at=None).count() == 7


def test_a_silent_region_of_copies_is_told_and_makes_nothing_here_old(
    aws: Nova, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_of(environment)
    snapshots_of = rds_backups.snapshots_of

    def silent_there(place: Environment, kind: str, name: str) -> list[Told]:
        if place.region != environment.region:
            raise Ambiguous("rds:DescribeDBSnapshots: no clear answer from AWS")
        return snapshots_of(place, kind, name)

    monkeypatch.setattr(rds_backups, "snapshots_of", silent_there)
    before = Database.objects.get().read_at
    round_of(environment)
    row = Database.objects.get()
    assert row.read_at > before
    assert row.failed.startswith("eu-central-1: ")


def test_a_database_that_rds_does_not_know_leaves_the_others(aws: Nova, environment: Environment) -> None:
    done = round_of(kept(environment, KeptDatabase(kind="instance", id="nobody")))
    assert any(sentence.startswith("nobody: ") for sentence in done.failed)
    assert Database.objects.get(name="nova-db").failed == ""
    assert Database.objects.get(name="nobody").read_at is None


def test_one_collector_at_a_time_and_only_when_due(aws: Nova, environment: Environment) -> None:
    token = Lease.claim(environment.name, 3600)
    assert token
    assert collect.collect(environment, early=True) is None
    Lease.release(environment.name, token)
    assert collect.collect(environment) is None
    Lease.make_due(environment.name)
    tasks.collect_environment(environment.name)
    assert Database.objects.count() == 1


def test_a_round_by_hand_says_what_it_found(aws: Nova, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("collect_backups")
    assert "sandbox: 1 database, 7 snapshots" in capsys.readouterr().out
    with pytest.raises(CommandError, match="Declared: sandbox"):
        call_command("collect_backups", "elsewhere")
