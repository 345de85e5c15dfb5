"""The policy: what violates it, since when, and that nothing old or missing looks well."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from backups import policy, watches
from backups.policy import Standing, last_window, missed_window, snapshot_state
from novaops import environment as declared
from novaops.environment import Environment, KeptDatabase
from novaops.runbook.registry import actions
from novaops.words import Amount
from tests.backups.rows import DAY, HOUR, database, snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment() -> Environment:
    return declared.default()


def standing(environment: Environment, now: datetime | None = None) -> Standing:
    (found,) = policy.standings(environment, now or timezone.now())
    return found


def keys(found: Standing) -> list[str]:
    return [one.key for one in found.violations]


def test_backups_as_the_policy_asks_are_healthy(environment: Environment) -> None:
    last = snapshot(database(), "rds:nova-db-1")
    found = standing(environment)
    assert (found.state, keys(found), found.last_good) == ("ok", [], last)
    assert 4 < (found.behind_s or 0) < 10
    assert found.rpo_percent < 20


def test_the_rpo_clock_runs_from_the_latest_restorable_time(environment: Environment) -> None:
    row = database(latest_restorable_at=timezone.now() - timedelta(seconds=environment.backups.rpo_s + 30))
    snapshot(row, "rds:nova-db-1")
    found = standing(environment)
    assert (found.state, keys(found), found.rpo_percent) == ("crit", ["backup-rpo"], 100)
    assert "can be restored to" in found.violations[0].sentence
    assert "the policy allows 60 s" in found.violations[0].sentence


def test_without_points_in_time_the_last_good_snapshot_counts(environment: Environment) -> None:
    row = database(latest_restorable_at=None, retention_days=0)
    last = snapshot(row, "by-hand", timezone.now() - 3 * HOUR, kind="manual")
    snapshot(row, "broken", timezone.now() - HOUR, kind="manual", status="failed")
    found = standing(environment)
    assert found.last_good == last
    assert found.restorable_at == last.created_at
    assert keys(found) == ["backup-rpo", "backup-retention", "backup-failed"]
    assert "switched off" in found.violations[1].sentence


def test_with_nothing_to_restore_from_it_says_so(environment: Environment) -> None:
    database(latest_restorable_at=None, retention_days=0)
    found = standing(environment)
    assert (found.behind_s, found.last_good, found.state) == (None, None, "crit")
    assert "There is nothing that it could be restored from" in found.violations[0].sentence


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        pytest.param({"retention_days": 1}, "backup-retention", id="retention"),
        pytest.param({"encrypted": False}, "backup-unencrypted", id="database"),
        pytest.param({"quota_used": 95}, "backup-quota", id="quota"),
    ],
)
def test_a_setting_below_the_policy_is_a_violation(environment: Environment, changes: dict, key: str) -> None:
    snapshot(database(**changes), "rds:nova-db-1")
    found = standing(environment)
    assert (found.state, keys(found)) == ("warn", [key])


def test_an_unencrypted_snapshot_is_a_violation_where_encryption_is_required(environment: Environment) -> None:
    snapshot(database(), "bare", encrypted=False)
    assert keys(standing(environment)) == ["backup-unencrypted"]
    lax = environment.backups.model_copy(update={"require_encryption": False})
    assert keys(standing(environment.model_copy(update={"backups": lax}))) == []


def test_what_is_gone_or_elsewhere_is_no_last_good_backup(environment: Environment) -> None:
    row = database()
    kept = snapshot(row, "kept", timezone.now() - 5 * HOUR)
    snapshot(row, "gone", gone_at=timezone.now())
    snapshot(row, "elsewhere", region="eu-central-1", kind="manual")
    snapshot(row, "unfinished", status="creating", percent=40)
    assert standing(environment).last_good == kept


def test_what_was_not_read_lately_is_stale_and_then_unknown_never_healthy(environment: Environment) -> None:
    row = database()
    snapshot(row, "rds:nova-db-1")
    lately = policy.stale_after_s(environment)
    for age_s, state in ((lately - 1, "ok"), (lately + 5, "stale"), (2 * lately + 5, "unknown")):
        at = timezone.now() - timedelta(seconds=age_s)
        row.read_at, row.latest_restorable_at = at, timezone.now() - timedelta(seconds=1)
        row.save()
        assert standing(environment).state == state
    row.read_at, row.known_since = None, timezone.now()
    row.save()
    assert (standing(environment).state, standing(environment).behind_s) == ("unknown", None)


def test_a_missed_window_is_noticed_two_hours_after_it(environment: Environment) -> None:
    row = database(created_at=datetime(2026, 11, 1, tzinfo=UTC))
    taken = datetime(2026, 11, 24, 3, 7, tzinfo=UTC)
    window = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
    assert missed_window(row, taken, window + timedelta(hours=2)) is None
    assert missed_window(row, taken, window + timedelta(hours=2, minutes=31)) == window
    assert missed_window(row, window + timedelta(minutes=4), window + timedelta(hours=9)) is None
    row.created_at = window + HOUR
    assert missed_window(row, None, window + timedelta(hours=9)) is None


@given(
    begin=st.integers(0, 1439),
    length=st.integers(30, 300),
    at_s=st.integers(0, 4_000_000_000),
)
def test_the_last_window_is_over_and_the_last_also_across_midnight(begin: int, length: int, at_s: int) -> None:
    before = datetime.fromtimestamp(at_s, UTC)
    end = (begin + length) % 1440
    window = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    began, ended = last_window(window, before)
    assert ended - began == timedelta(minutes=length)
    assert before - DAY < ended <= before


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "Good"),
        ({"status": "failed"}, "Failed"),
        ({"status": "creating", "percent": 40}, "Creating 40 %"),
        ({"encrypted": False}, "Unencrypted"),
        ({"kind": "manual", "expires_at": timezone.now() - HOUR}, "Old"),
        ({"expires_at": timezone.now() + HOUR}, "About to expire"),
        ({"gone_at": timezone.now()}, "Gone"),
    ],
)
def test_a_snapshot_has_one_word(environment: Environment, changes: dict, word: str) -> None:
    assert snapshot_state(snapshot(database(), "one", **changes), environment, timezone.now())[1] == word


def test_the_dashboard_is_told_every_number_of_every_database(environment: Environment) -> None:
    also = environment.backups.model_copy(update={"also": (KeptDatabase(kind="cluster", id="reports"),)})
    place = environment.model_copy(update={"backups": also})
    snapshot(database(), "rds:nova-db-1")
    database("reports", retention_days=2, read_at=timezone.now())
    told = watches.read(place, timezone.now())
    assert set(told.values) == {(w.series, n) for w in watches.watches(place) for n in ("nova-db", "reports")}
    assert told.values["backup_retention", "reports"] == 5
    assert told.values["backup_retention", "nova-db"] == 0
    assert 4 < told.values["backup_rpo", "nova-db"] < 10
    assert told.values["backup_quota", "nova-db"] == 3
    (note,) = told.notes
    assert (note.label, note.text, note.state) == ("Last good backup", "rds:nova-db-1 of nova-db", "ok")


def test_of_what_was_not_read_only_that_is_told(environment: Environment) -> None:
    database(read_at=timezone.now() - DAY)
    told = watches.read(environment, timezone.now())
    assert {name for name, _ in told.values} == {"backups_unread"}
    assert told.values["backups_unread", "nova-db"] > 86000
    assert told.notes[0].state == "unknown"


def test_however_many_there_are_three_queries_tell_how_they_stand(environment: Environment) -> None:
    names = [f"db-{number}" for number in range(4)]
    also = environment.backups.model_copy(update={"also": tuple(KeptDatabase(kind="instance", id=n) for n in names)})
    place = environment.model_copy(update={"backups": also})
    for name in names:
        snapshot(database(name), f"{name}-1")
    with CaptureQueriesContext(connection) as queries:
        assert [one.database.name for one in policy.standings(place, timezone.now())] == names
    assert len(queries) == 3


def test_every_rule_offers_actions_that_exist(environment: Environment) -> None:
    for watch in watches.watches(environment):
        assert set(watch.offers) <= set(actions)
        assert watch.says.format(value=Amount(1), threshold=Amount(2))
