"""What a person says of a succeeded run: once, by whom may run such actions, seen on the run and in the audit."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.test import Client

from novaops.audit.models import Entry
from novaops.runbook.action import Context, Inverse
from novaops.runbook.models import Run
from tests.runbook.bell import Bell, Ring
from tests.runbook.conftest import carry_on

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
RunOf = Callable[..., Run]


def judge(client: Client, run: Run, worked: str) -> int:
    return client.post(f"/runs/{run.pk}/judgement", {"worked": worked}).status_code


@pytest.mark.parametrize(
    ("said", "worked", "verb", "shown"),
    [("yes", True, "run.worked", "it worked"), ("no", False, "run.did-not-work", "did not work")],
)
def test_it_is_said_once_and_stands_on_the_run_and_in_the_chain(
    said: str, worked: bool, verb: str, shown: str, bell: Bell, run_of: RunOf, responder: User, client_of: ClientOf
) -> None:
    run, client = carry_on(run_of(responder)), client_of(responder)
    assert "Did it help?" in client.get(f"/runs/{run.pk}/").content.decode()
    assert judge(client, run, said) == 302
    assert judge(client, run, "yes") == 409
    run.refresh_from_db()
    assert (run.worked, run.judged_by) == (worked, responder)
    assert Entry.objects.filter(run=run.pk, verb=verb, actor="responder").count() == 1
    assert shown in client.get(f"/runs/{run.pk}/").content.decode()


def test_a_run_that_goes_on_or_failed_is_not_judged(
    bell: Bell, run_of: RunOf, responder: User, client_of: ClientOf
) -> None:
    run, client = run_of(responder), client_of(responder)
    assert judge(client, run, "yes") == 409
    bell.troubles = ["refused"]
    assert judge(client, carry_on(run), "yes") == 409
    assert "Did it help?" not in client.get(f"/runs/{run.pk}/").content.decode()


def test_a_viewer_has_no_say(bell: Bell, run_of: RunOf, responder: User, viewer: User, client_of: ClientOf) -> None:
    run = carry_on(run_of(responder))
    assert judge(client_of(viewer), run, "no") == 403
    run.refresh_from_db()
    assert run.worked is None


def test_a_judgement_without_a_judge_is_refused_by_the_database(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    with pytest.raises(IntegrityError, match="a_judgement_has_a_judge"):
        Run.objects.filter(pk=run.pk).update(worked=True)


def test_what_it_changed_is_put_back_from_its_page(
    bell: Bell, run_of: RunOf, responder: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inverse(self: Ring, ctx: Context) -> Inverse:
        return Inverse(action="ring", params={"times": 1}, sentence="Ring it back")

    monkeypatch.setattr(Ring, "inverse", inverse)
    run = carry_on(run_of(responder))
    page = client_of(responder).get(f"/runs/{run.pk}/").content.decode()
    assert f'action="/controls/undo/{run.inverse.pk}"' in page
