"""A server of certificates, as AWS has one, and what the rows say afterwards."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dashboard.hooks import bell, inbox, ledger
from dashboard.hooks.models import Delivery
from dashboard.models import Alert
from novaops.cloud import sns as cloud_sns
from tests.dashboard.hooks import post


class Certificates(BaseHTTPRequestHandler):
    """Answers every address with one certificate, or with what a test put in its place."""

    pem = b""
    status = 200
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.pem)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def _certificate_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Certificates)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def certificates(_certificate_server: str, settings) -> type[Certificates]:
    """Lets SNS have its certificates here: `certificates.pem = ...` changes them."""
    settings.SNS_CERTIFICATES = _certificate_server
    Certificates.pem, Certificates.status, Certificates.asked = post.certificate(), 200, []
    cloud_sns.forget()
    return Certificates


@pytest.fixture(autouse=True)
def _no_doorbell(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is there to hear it: tests read the inbox themselves."""
    monkeypatch.setattr(bell, "_rung", [float("inf")])
    monkeypatch.setattr(ledger, "_here", {})


@pytest.fixture
def outcome() -> Callable[[], str]:
    """Reads the inbox; what came of the newest message."""

    def read() -> str:
        inbox.read_waiting()
        return Delivery.objects.latest("pk").outcome

    return read


@pytest.fixture
def the_alert() -> Callable[[], Alert]:
    """Reads the inbox; the only alert there is."""

    def read() -> Alert:
        inbox.read_waiting()
        return Alert.objects.get()

    return read
