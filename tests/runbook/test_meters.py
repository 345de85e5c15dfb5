"""Budget meters on the buttons: what was spent, and what AWS still allows."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.runbook import meters
from novaops.runbook.models import Run
from tests.runbook.bell import Bell, Ring
from tests.runbook.conftest import carry_on

pytestmark = pytest.mark.django_db


def shown() -> str:
    return meters.meter(Ring, meters.used(environments.default()))


def test_an_action_that_was_not_done_shows_only_a_budget(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown() == ""
    monkeypatch.setattr(Ring, "most_in_24_h", 15)
    assert shown() == "0 of 15 in 24 h"


def test_it_counts_what_may_have_happened_and_how_long_ago(
    bell: Bell, run_of: Callable[..., Run], responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ring, "most_in_24_h", 15)
    carry_on(run_of(responder))
    bell.open = True
    carry_on(run_of(responder, idempotency_key="second"))
    assert shown() == "2 of 15 in 24 h, last 0 min ago"


def test_a_run_that_never_began_spends_nothing(
    bell: Bell, run_of: Callable[..., Run], responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(responder)
    bell.open = False
    carry_on(run)
    assert shown() == ""
