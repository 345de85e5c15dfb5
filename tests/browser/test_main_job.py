"""The main job, for real: Nova gets sick, the right action is taken, Nova recovers, the post-mortem is exported."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django import Settings

from incidents.postmortem.filled import fields, share
from novaops import environment as environments
from novaops.audit import chain
from tests.browser.looks import LOOKS, Look
from tests.browser.watch import axe, too_wide
from tests.servers import ROOT, Nova
from tests.workers import worker

PASSWORD = "nova-sandbox-only"
# A rule's duration, two rounds of collection and a poll of the page, on a machine that does other things too.
SOON_MS = 90_000
HURRY = {
    "collect_every_s = 5\nmetric_period_s": "collect_every_s = 2\nmetric_period_s",
    "verify_for_s = 10": "verify_for_s = 2",
    "high-cpu.for_s = 15": "high-cpu.for_s = 3",
}
DESKTOP = LOOKS[0]
PHONE = next(look for look in LOOKS if look.phone)


@pytest.fixture
def _hurried(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The sandbox's environment with shorter times: nobody waits a quarter of a minute for a rule here."""
    text = (ROOT / "nova.toml").read_text(encoding="utf-8")
    for usual, short in HURRY.items():
        assert usual in text, usual
        text = text.replace(usual, short)
    settings.NOVA_TOML = tmp_path / "nova.toml"
    settings.NOVA_TOML.write_text(text, encoding="utf-8")
    monkeypatch.setenv("NOVAOPS_NOVA_TOML", str(settings.NOVA_TOML))
    environments.environments.cache_clear()
    yield
    environments.environments.cache_clear()


@pytest.fixture
def _working(transactional_db: None, _hurried: None, sandbox: Nova, tmp_path: Path) -> Iterator[None]:
    """A worker that collects and executes, as in production, with its own clock."""
    sandbox.reset(factor=100, sample_s=1, processes=True)
    celery = worker(tmp_path / "worker.log", queues="runs,watch", beat=True, processes=2)
    celery.start()
    celery.wait_ready(60)
    yield
    celery.stop()


def sign_in(page: Page, user: User) -> None:
    user.set_password(PASSWORD)
    user.save()
    page.goto("/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def restart(page: Page) -> None:
    page.get_by_role("link", name="Restart the API server").first.click()
    expect(
        page.get_by_text("aws ecs update-service --cluster nova --service nova-api --force-new-deployment")
    ).to_be_visible()


def scale_out(page: Page) -> None:
    page.get_by_role("link", name="Scale the API server").first.click()
    page.get_by_label("Number of tasks").fill("8")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("--desired-count 8").first).to_be_visible()


def close(page: Page, room: str, step: str, button: str = "") -> None:
    page.goto(f"{room}steps/{step}/")
    page.get_by_role("button", name=button or f"Close {step.capitalize()}").click()


def wait_for_proof(page: Page, room: str) -> None:
    """Watch the open room until Nova was healthy for as long as the step Resolve asks."""
    page.goto(room)
    expect(page.get_by_role("button", name="Resolve the incident")).to_be_visible(timeout=SOON_MS)


@pytest.mark.parametrize(
    ("look", "act", "confirm"),
    [
        pytest.param(DESKTOP, restart, "Restart the API server", id="desktop-restart"),
        pytest.param(PHONE, scale_out, "Scale the API server", id="phone-scale"),
    ],
)
@pytest.mark.long(35)
@pytest.mark.usefixtures("_working")
def test_from_alert_to_post_mortem(
    open_page: Callable[..., Page], commander: User, look: Look, act: Callable[[Page], None], confirm: str
) -> None:
    page = open_page(look)
    sign_in(page, commander)
    expect(page.get_by_role("heading", name="All 4 services are healthy")).to_be_visible(timeout=SOON_MS)

    page.goto("/sandbox/")
    page.get_by_role("button", name="Start high-cpu").click()
    page.goto("/")
    expect(page.locator("#verdict").get_by_text("Critical", exact=True)).to_be_visible(timeout=SOON_MS)
    assert axe(page) == []

    page.get_by_role("button", name="Declare: High CPU").click()
    page.wait_for_url("**/incidents/1/")
    room = page.url
    act(page)
    page.get_by_label("Why?").fill("Runaway workers burn the CPU")
    assert (axe(page), too_wide(page)) == ([], False)
    page.get_by_role("button", name=confirm).click()
    expect(page.get_by_role("dialog").get_by_text("Succeeded", exact=True)).to_be_visible(timeout=SOON_MS)
    assert (axe(page), too_wide(page)) == ([], False)
    page.goto("/")
    expect(page.locator("#verdict").get_by_text("Healthy").first).to_be_visible(timeout=SOON_MS)

    close(page, room, "assess")
    page.goto(f"{room}steps/communicate/")
    page.get_by_role("button", name="Post and update").click()
    page.goto(room)
    expect(page.locator("#timeline").get_by_text("Status page: ").first).to_be_visible(timeout=SOON_MS)
    expect(page.locator("#timeline").get_by_text("Slack: ").first).to_be_visible(timeout=SOON_MS)
    close(page, room, "communicate")
    close(page, room, "mitigate")
    page.goto(room)
    assert (axe(page), too_wide(page)) == ([], False)
    expect(page.get_by_text(f"{confirm} on nova-api: succeeded").first).to_be_visible()
    wait_for_proof(page, room)
    close(page, room, "resolve", "Check and resolve")
    page.wait_for_url("**/postmortem/")
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_text("Exported to docs/ops/post-mortems/").first).to_be_visible()
    assert (axe(page), too_wide(page)) == ([], False)

    (document,) = (Path(os.environ["NOVAOPS_POSTMORTEM_ROOT"]) / "docs/ops/post-mortems").glob("*-high-cpu*.md")
    text = document.read_text()
    assert f"{confirm}" in text
    assert "High CPU fired" in text
    assert share(text) >= 0.8, [field.name for field in fields(text) if not field.filled]
    document.unlink()
    assert chain.verify().broken_seq is None
