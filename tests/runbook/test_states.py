"""The transition table is complete, and the only way from one state to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novaops.runbook.states import ACTIVE, DRIVEN, FINISHED, TRANSITIONS, InvalidTransition, RunStatus, check_transition

STATUS = st.sampled_from(list(RunStatus))


def test_every_status_has_its_row_and_is_either_active_or_finished() -> None:
    assert set(TRANSITIONS) == set(RunStatus) == {*ACTIVE, *FINISHED}
    assert not {*ACTIVE} & {*FINISHED}


def test_every_status_can_be_reached_and_every_active_one_can_end() -> None:
    reached = set().union(*TRANSITIONS.values())
    assert reached | {RunStatus.QUEUED, RunStatus.AWAITING_APPROVAL} == set(RunStatus)
    assert all(TRANSITIONS[status] & {*FINISHED} for status in ACTIVE)


def test_an_unknown_outcome_is_never_driven_by_a_worker() -> None:
    assert RunStatus.UNKNOWN not in DRIVEN


@given(before=STATUS, after=STATUS)
def test_what_the_table_does_not_have_is_refused(before: RunStatus, after: RunStatus) -> None:
    if after in TRANSITIONS[before]:
        check_transition(before, after)
        return
    with pytest.raises(InvalidTransition, match=f"{before} -> {after}"):
        check_transition(before, after)
