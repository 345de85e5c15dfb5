"""The chain: complete, append-only, and broken by any change to any row."""

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novaops.audit import chain
from novaops.audit.models import Entry

COLUMNS = ["actor", "verb", "subject", "environment", "reason", "detail_json", "via"]


def write(count: int) -> list[Entry]:
    with transaction.atomic():
        return [
            chain.record("run.requested", by=None, subject=f"restart-api on nova-{number}", detail={"n": number})
            for number in range(count)
        ]


def tamper(sql: str, *params: object) -> None:
    """Change the table as somebody who owns it and has taken the trigger away."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql, params)
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.mark.django_db
def test_it_numbers_entries_without_gaps_and_links_each_to_the_one_before() -> None:
    first, second, third = write(3)
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert (second.prev_hash, third.prev_hash) == (first.hash, second.hash)
    assert first.prev_hash == chain.GENESIS


@pytest.mark.django_db
def test_an_untouched_chain_verifies() -> None:
    entries = write(5)
    assert chain.verify() == chain.Verification(5, entries[-1].hash)


@pytest.mark.django_db(transaction=True)
def test_it_refuses_to_record_outside_of_a_transaction() -> None:
    with pytest.raises(chain.NotAtomic, match=r"run\.requested"):
        chain.record("run.requested", by=None, subject="restart-api on nova-api")
    assert not Entry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_goes_with_the_transaction_it_records() -> None:
    with transaction.atomic():
        chain.record("run.requested", by=None, subject="restart-api on nova-api")
        transaction.set_rollback(True)
    assert chain.head() == (0, chain.GENESIS)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_entry SET reason = 'another' WHERE seq = 1",
        "DELETE FROM audit_entry WHERE seq = 1",
        "TRUNCATE audit_entry",
    ],
)
def test_postgresql_refuses_to_change_the_chain(sql: str) -> None:
    write(2)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert Entry.objects.count() == 2


@pytest.mark.django_db
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(victim=st.integers(1, 6), column=st.sampled_from(COLUMNS))
def test_any_changed_column_of_any_entry_is_found(victim: int, column: str) -> None:
    with transaction.atomic():
        write(6)
        tamper(f"UPDATE audit_entry SET {column} = {column} || 'x' WHERE seq = %s", victim)
        found = chain.verify()
        transaction.set_rollback(True)
    assert (found.broken_seq, found.reason) == (victim, "its content was changed")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        pytest.param("DELETE FROM audit_entry WHERE seq = 3", 3, id="removed"),
        pytest.param("DELETE FROM audit_entry WHERE seq = 1", 1, id="first-removed"),
        pytest.param(
            "UPDATE audit_entry SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3)", -3, id="moved"
        ),
        pytest.param("UPDATE audit_entry SET at = at + interval '1 s' WHERE seq = 4", 4, id="backdated"),
        pytest.param("UPDATE audit_entry SET run = 7 WHERE seq = 5", 5, id="another-run"),
    ],
)
def test_a_removed_moved_or_backdated_entry_is_found(sql: str, broken: int) -> None:
    write(6)
    tamper(sql)
    assert chain.verify().broken_seq == broken


@pytest.mark.django_db
def test_the_command_names_the_first_broken_entry(capsys: pytest.CaptureFixture[str]) -> None:
    write(3)
    call_command("audit_verify")
    assert "3 entries hold" in capsys.readouterr().out
    tamper("UPDATE audit_entry SET subject = 'something else' WHERE seq = 2")
    with pytest.raises(CommandError, match="breaks at entry 2: its content was changed"):
        call_command("audit_verify")
