"""The command line runs actions by the page's rules, without a broker, and its exit code tells the outcome."""

import getpass
from collections.abc import Callable
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from novaops.audit.models import Entry
from novaops.runbook import engine
from novaops.runbook.models import Plan, Run
from tests.runbook.bell import Bell

pytestmark = pytest.mark.django_db


def act(*arguments: str, user: str = "responder") -> tuple[int, str]:
    """The exit code and what is shown: `act("ring", "nova-api", "--wait")`."""
    shown = StringIO()
    try:
        call_command("act", *arguments, "--user", user, stdout=shown)
    except CommandError as failure:
        return failure.returncode, shown.getvalue() + str(failure)
    except SystemExit as ended:
        return int(ended.code or 0), shown.getvalue()
    return 0, shown.getvalue()


RING = ("ring", "nova-api", "--reason", "to be heard")


def test_it_carries_the_run_on_itself(bell: Bell, responder: User) -> None:
    code, shown = act(*RING, "--param", "times=3", "--incident", "7", "--wait")
    run = Run.objects.get()
    assert (code, run.status, run.params, bell.rung) == (0, "succeeded", {"times": 3}, [run.pk])
    lines = ["tower ring-bell", "passed   The tower is open.", "Ring: tower:RingBell Accepted", "Succeeded: Peace"]
    assert [line for line in lines if line not in shown] == []
    entry = Entry.objects.get(verb="run.requested")
    assert (entry.actor, entry.via, entry.reason, entry.incident) == (
        "responder",
        f"cli:{getpass.getuser()}",
        "to be heard",
        7,
    )


def test_without_wait_it_only_starts(bell: Bell, responder: User) -> None:
    code, shown = act(*RING)
    run = Run.objects.get()
    assert (code, run.status, bell.rung) == (0, "queued", [])
    assert f"Run {run.pk} by responder: Queued." in shown


def test_a_dry_run_shows_everything_and_changes_nothing(bell: Bell, viewer: User) -> None:
    code, shown = act("ring", "nova-api", "--dry-run", user="viewer")
    assert (code, "tower ring-bell" in shown, "nothing was changed" in shown) == (0, True, True)
    assert not Run.objects.exists()
    bell.open = False
    code, shown = act("ring", "nova-api", "--dry-run", user="viewer")
    assert (code, "It would be refused: The tower is closed." in shown) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sing", "nova-api", "--reason", "x"), "There is no action 'sing'"),
        (("ring", "nova-other", "--reason", "x"), "is not declared"),
        (("ring", "nova-api"), "Say why with --reason"),
        (("ring", "nova-api", "--reason", "x" * 501), "Say why with --reason"),
        ((*RING, "--environment", "moon"), "There is no environment 'moon'"),
        ((*RING, "--param", "times=10"), "params.times: Ensure this value is less than or equal to 9."),
        ((*RING, "--param", "colour=red"), "no such parameter"),
        ((*RING, "--param", "times"), "is not NAME=VALUE"),
        ((*RING, "--incident", "0"), "incident"),
    ],
)
def test_what_is_wrong_is_refused_with_its_rule(
    bell: Bell, responder: User, arguments: tuple[str, ...], sentence: str
) -> None:
    code, shown = act(*arguments)
    assert (code, sentence in shown) == (2, True), shown
    assert not Run.objects.exists()


def test_the_policy_holds_here_too(bell: Bell, viewer: User, admin: User) -> None:
    for user in ("viewer", "admin"):
        code, shown = act(*RING, user=user)
        assert (code, "Your role may not" in shown) == (2, True)
    assert not Plan.objects.exists()


def test_it_acts_as_the_account_of_the_systems_user(
    bell: Bell, user_with_role: Callable[[str, str], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "grace")
    with pytest.raises(CommandError, match="no active account 'grace'"):
        call_command("act", *RING)
    user_with_role("responder", "grace")
    call_command("act", *RING, stdout=StringIO())
    assert Run.objects.get().requested_by.username == "grace"


def test_a_target_that_is_busy_or_unseen_is_refused(
    bell: Bell, run_of: Callable[..., Run], responder: User, commander: User
) -> None:
    run_of(commander)
    code, shown = act(*RING)
    assert (code, "by commander is on nova-api already" in shown) == (2, True)
    bell.blind = True
    assert act(*RING)[0] == 2


@pytest.mark.parametrize(
    ("troubles", "broken", "code", "status"),
    [([], True, 1, "failed"), (["refused"], False, 1, "failed"), (["error-before"], False, 3, "unknown")],
)
def test_the_exit_code_tells_how_it_ended(
    bell: Bell, responder: User, troubles: list[str], broken: bool, code: int, status: str
) -> None:
    bell.troubles, bell.broken = troubles, broken
    ended, _ = act(*RING, "--wait")
    assert (ended, Run.objects.get().status) == (code, status)


def test_breaking_off_the_wait_leaves_the_run_to_the_workers(
    bell: Bell, responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell.settled_after = 1_000_000

    def interrupt(_: float) -> None:
        if bell.polls > 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    code, shown = act(*RING, "--wait")
    run = Run.objects.get()
    assert (code, run.status, run.cancel_requested) == (4, "running", False)
    assert "is not called off" in shown


def test_a_worker_beside_it_makes_no_second_effect(
    bell: Bell, responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def turn_of_a_worker(_: float) -> None:
        engine.advance(Run.objects.get().pk)

    monkeypatch.setattr("time.sleep", turn_of_a_worker)
    assert act(*RING, "--wait")[0] == 0
    assert bell.rung == [Run.objects.get().pk]
