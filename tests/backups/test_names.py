"""Names of snapshots: valid by AWS's rules and unique, whatever the environment, the date and how many a day."""

import re
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from backups.names import PRE_DEPLOY, RESTORED, copy_named, named
from novaops.runbook.action import Context, sendable

# FACTS B3; snapshots of clusters and instances have 63 characters at most.
VALID = re.compile(r"^(?=.{1,63}$)[A-Za-z](?:-?[A-Za-z0-9])*$")
environments = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)
runs = st.integers(min_value=1, max_value=2**63 - 1)
days = st.dates()


def filled(day: date, environment: str, run: int, prefix: str = PRE_DEPLOY) -> str:
    ctx = Context(environment=None, target="", params={}, run_id=run)
    return sendable(named(prefix, day, environment), ctx)


@given(environment=environments, day=days, run=runs)
def test_a_name_is_valid_by_the_rules_of_aws(environment: str, day: date, run: int) -> None:
    assert VALID.fullmatch(filled(day, environment, run))
    assert VALID.fullmatch(filled(day, "", run, RESTORED))


@given(environment=environments, day=days, run=runs)
def test_a_name_is_as_rds_stores_it_and_follows_the_runbook(environment: str, day: date, run: int) -> None:
    name = filled(day, environment, run)
    assert name == name.lower()
    assert name.startswith(f"pre-deploy-{day.isoformat()}-")


@given(source=st.from_regex(r"(rds:)?[a-z](-?[a-z0-9]){0,252}", fullmatch=True), run=runs)
def test_a_copys_name_is_valid_whatever_it_is_a_copy_of(source: str, run: int) -> None:
    name = sendable(copy_named(source), Context(environment=None, target="", params={}, run_id=run))
    assert re.fullmatch(r"(?=.{1,255}$)[A-Za-z](?:-?[A-Za-z0-9])*", name)
    assert name.endswith(f"-copy-{run}")


@given(
    made=st.lists(st.tuples(environments, days), min_size=2, max_size=200),
    first=st.integers(min_value=1, max_value=2**62),
)
def test_no_two_runs_share_a_name_however_many_there_are_a_day(made: list[tuple[str, date]], first: int) -> None:
    names = [filled(day, environment, run) for run, (environment, day) in enumerate(made, first)]
    assert len(set(names)) == len(names)


@given(day=days, environment=environments, count=st.integers(min_value=2, max_value=300), first=runs)
def test_a_day_may_have_any_number_of_them(day: date, environment: str, count: int, first: int) -> None:
    assert len({filled(day, environment, first + number) for number in range(count)}) == count
