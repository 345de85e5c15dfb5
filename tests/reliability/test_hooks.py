"""Webhooks while PostgreSQL restarts: what was answered as kept is a row, and nothing forged is."""

import time
from pathlib import Path

import pytest

from tests.hooks_storm import KEPT, Storm, forged, signed, site

MESSAGES = 400


@pytest.mark.long(18)
def test_no_webhook_is_lost_while_the_database_restarts_and_none_forged_is_kept(open_path: Path) -> None:
    messages = signed(MESSAGES)
    mixed = [one for pair in zip(messages, forged(MESSAGES // 2), strict=True) for one in pair]
    with site(open_path) as running:
        storm = Storm(running.port)

        def restart() -> None:
            time.sleep(0.3)
            running.restart_database()

        storm.blow(mixed, 8, restart)
        kept = running.kept()
    assert storm.lost == []
    assert storm.answers[503] + storm.answers[0] > 0, "the restart was not noticed: it proves nothing"
    assert kept == {headers["X-Nova-Delivery"] for _, headers in messages}
    assert sum(storm.answers[status] for status in KEPT) == MESSAGES
    assert storm.answers[401] == MESSAGES
