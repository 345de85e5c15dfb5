"""A real Chromium before the real site: every page is watched, and a test fails on what it reports."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.test.testcases import LiveServerThread
from django.test.utils import modify_settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from novaops.sandbox import prepare
from tests import chromium
from tests.browser.looks import LOOKS, Look
from tests.browser.watch import Watch
from tests.runbook.conftest import bell as bell
from tests.servers import DIRECTORY_VARIABLE

HOST = "localhost"
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HASHED = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
TIMEOUT_MS = 10_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this worker."""
    program = chromium.find()
    if program is None:
        pytest.fail("There is no Chromium: run `python -m tests.chromium`.")
    sandboxed = () if os.geteuid() else ("--no-sandbox",)
    # Playwright's synchronous API keeps an event loop in this thread, which Django takes for asynchronous code.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        started = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *sandboxed])
        yield started
        started.close()


@pytest.fixture(scope="session")
def collected_static() -> Path:
    """The static files as in production, hashed and compressed; collected once for all workers."""
    directory = Path(os.environ[DIRECTORY_VARIABLE]) / "collected"
    with directory.with_suffix(".lock").open("w") as lock, override_settings(STORAGES=HASHED, STATIC_ROOT=directory):
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare.collect_static(directory)
    return directory


@pytest.fixture
def site(transactional_db: None, collected_static: Path) -> Iterator[str]:
    """The address of the running site: Django's own server around the whole application, WhiteNoise included."""
    collected = override_settings(STORAGES=HASHED, STATIC_ROOT=collected_static)
    with collected, modify_settings(ALLOWED_HOSTS={"append": HOST}):
        thread = LiveServerThread(HOST, static_handler=lambda application: application)
        thread.daemon = True
        thread.start()
        thread.is_ready.wait()
        if thread.error:
            raise thread.error
        yield f"http://{HOST}:{thread.port}"
        thread.terminate()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[OpenPage]:
    """Makes pages: `open_page(look, user=viewer, expect=("404",))`. What they report otherwise fails the test."""
    watches: list[tuple[BrowserContext, Watch]] = []

    def make(look: Look = LOOKS[0], user: User | None = None, expect: tuple[str, ...] = (), **options: Any) -> Page:
        context = browser.new_context(base_url=site, **look.options(), **options)
        context.set_default_timeout(TIMEOUT_MS)
        watches.append((context, Watch(site, expect)))
        watches[-1][1].attach(context)
        if user:
            context.add_cookies([session_cookie(user, site)])
        return context.new_page()

    yield make
    for context, _ in watches:
        context.close()
    assert [problem for _, watch in watches for problem in watch.problems] == []


def session_cookie(user: User, site: str) -> Any:
    """The cookie of a session of `user`, as the browser would have got it by signing in."""
    client = Client()
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": site}
