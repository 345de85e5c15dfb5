"""The search for ledgers that the event processor missed: every round, over the last hours and what it found before."""

from collections.abc import Iterable

from dashboard import replay, rpcs
from dashboard.replay import Gap
from novaops.cloud import nova_db, nova_events
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment

# About four hours: a gap comes where the processor reads, or where rows were lost.
LOOK_BACK_LEDGERS = 2880
# So many silences are remembered as quiet, and so many more are asked about in a round: the next goes on.
MOST_SILENCES = 500
ASKED_A_ROUND = 8
Stretch = tuple[int, int]


def search(
    environment: Environment, oldest: int, known: Iterable[Stretch], quiet: Iterable[Stretch]
) -> tuple[list[Gap], list[Stretch]]:
    """The gaps there are, and the silences of which an RPC says that nothing happened in them.

    `known` gaps and `quiet` silences are what the last search told, `oldest` is the oldest ledger that can be asked
    about. Raises OutsideError where a silence cannot be asked about.
    """
    events = environment.events
    cursor = nova_db.processed_ledger(environment.database.dsn, events.cursor_table)
    first = max(oldest, min([cursor - LOOK_BACK_LEDGERS, *(begins - 1 for begins, _ in known)]))
    silences = nova_events.silences(
        environment.database.dsn,
        events.events_table,
        first,
        cursor,
        longer_than=replay.SILENT_LEDGERS,
        most=MOST_SILENCES,
    )
    found, checked, asked = list[Gap](), list[Stretch](), 0
    for begins, ends in sorted(silences):
        begins_unknown = _behind(quiet, begins, ends)
        if begins_unknown > ends:
            checked.append((begins, ends))
            continue
        if asked == ASKED_A_ROUND:
            break
        asked += 1
        gap = _gap_in(environment, begins_unknown, ends)
        if gap:
            found.append(gap)
        else:
            checked.append((begins, ends))
    return found, checked


def _behind(quiet: Iterable[Stretch], begins: int, ends: int) -> int:
    """From where the silence is not known to be quiet: the one at the end grows with every round."""
    return max([begins, *(last + 1 for first, last in quiet if first <= begins <= last <= ends)])


def _gap_in(environment: Environment, first: int, last: int) -> Gap | None:
    began: dict[str, int] = {}
    failures: list[OutsideError] = []
    for which in rpcs.DECLARED:
        if rpcs.address(environment, which) is None:
            continue
        try:
            missing = replay.count(environment, which, first, last, limit_s=replay.GAP_COUNT_S).first_missing
        except OutsideError as failure:
            failures.append(failure)
            continue
        if missing is not None:
            began[which] = missing
    if began:
        return Gap(first=min(began.values()), last=last, known_to=tuple(began))
    if failures:
        raise failures[0]
    return None
