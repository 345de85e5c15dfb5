"""The pipeline's program: it leaves only when the snapshot is available, and says by its exit code what came of it."""

import threading
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from novaops.runbook.models import Run
from tests.actions.conftest import aws as aws
from tests.actions.conftest import carry_on
from tests.api.conftest import Program
from tests.sandbox.conftest import eventually
from tests.servers import ROOT, Nova

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = ("sandbox", "create-snapshot", "nova-db", "--param", "deployment=api@9f31c2", "--reason", "deploy api@9f31c2")


@pytest.fixture
def program() -> ModuleType:
    spec = spec_from_file_location("run_and_wait", ROOT / "deploy" / "run_and_wait.py")
    assert spec
    assert spec.loader
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def pipeline(
    program: ModuleType,
    live_server: LiveServer,
    program_of: Callable[..., Program],
    responder: User,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., int]:
    """Runs the program as a pipeline does; its exit code."""
    monkeypatch.setenv("NOVAOPS_URL", live_server.url)
    monkeypatch.setenv("NOVAOPS_TOKEN", program_of(responder).text)
    return lambda *arguments: program.main([*arguments, "--every-s", "0.1"])


def test_it_leaves_when_the_snapshot_is_available(
    aws: Nova, pipeline: Callable[..., int], worker: None, capsys: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []
    waiting = threading.Thread(target=lambda: codes.append(pipeline(*ASKED, "--key", "pipeline-4711")))
    waiting.start()
    eventually(Run.objects.count, lambda count: count == 1)
    assert codes == []
    run = carry_on(Run.objects.get())
    waiting.join(timeout=20)
    assert codes == [0]
    assert run.params["deployment"] == "api@9f31c2"
    assert f"run {run.pk} succeeded" in capsys.readouterr().out
    assert pipeline(*ASKED, "--key", "pipeline-4711") == 0
    assert Run.objects.count() == 1


def test_what_is_refused_and_what_lasts_too_long_have_codes_of_their_own(
    aws: Nova, pipeline: Callable[..., int], worker: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pipeline("sandbox", "create-snapshot", "nobodys-db", "--reason", "deploy", "--key", "one") == 2
    assert "nobodys-db" in capsys.readouterr().out
    assert pipeline(*ASKED, "--key", "two", "--timeout-s", "0.3") == 4
