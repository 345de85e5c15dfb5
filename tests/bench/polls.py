"""Open overview pages against a real gunicorn: bars 2,000 unchanged polls a second, p95 100 ms for 3,000 pages.

The pages are Python too and take about as much of the two cores as the server: `wrk` in their place sees twice as many.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from statistics import median, quantiles

from django.conf import settings

from dashboard import overview
from novaops import environment as declared
from novaops import live
from novaops.sandbox import addresses
from novaops.sandbox.child import Child
from tests.bench.overview import refresh, signed_in
from tests.servers import ROOT, Nova

PAGES = 3000
EVERY_S = 10.0
FOR_S = 20.0
READERS = 30
# As through a load balancer, which keeps some connections and sends every page's polls over them.
CONNECTIONS = 32
GUNICORN = ("-m", "gunicorn", "novaops.wsgi", "--worker-class", "gthread", "--workers", "2", "--threads", "8")


def figures(nova: Nova) -> Iterator[str]:
    """As many unchanged polls as fit, then 3,000 pages that poll every ten seconds while rounds go on."""
    cookies = [_cookie(f"reader{number}") for number in range(READERS)]
    port = addresses.free_port()
    web = Child(
        name="web",
        argv=[sys.executable, *GUNICORN, "--bind", f"{addresses.HOST}:{port}", "--preload", "--no-control-socket"],
        log=nova.directory / "bench-web.log",
        ready=lambda: addresses.responds(f"http://{addresses.HOST}:{port}/healthz"),
        environment={**os.environ},
        cwd=ROOT,
    )
    web.start()
    try:
        web.wait_ready(60)
        with _Rounds():
            yield from _measured(port, cookies)
    finally:
        web.stop()


def _measured(port: int, cookies: list[str]) -> Iterator[str]:
    pollers = Pollers(port, cookies)
    took, began = pollers.run(lambda number: 0.0, for_s=FOR_S / 2), FOR_S / 2
    unchanged = [one for one in took if one.status == 204]
    yield (
        f"polls, as many as fit: {len(took) / began:,.0f} a second, {len(unchanged) / len(took):.0%} unchanged,"
        f" {median(one.size for one in unchanged):.0f} bytes each (bars 2,000 and 300)"
    )
    took = pollers.run(lambda number: number * EVERY_S / PAGES, for_s=FOR_S)
    cuts = quantiles([one.took_ms for one in took], n=20)
    yield (
        f"{PAGES:,} pages polling every {EVERY_S:.0f} s: {len(took) / FOR_S:,.0f} polls a second,"
        f" p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms (bar 100 ms)"
    )


class Answer:
    """One poll's status, size in bytes with its headers, and time from when it was due."""

    def __init__(self, status: int, size: int, took_ms: float) -> None:
        self.status, self.size, self.took_ms = status, size, took_ms


class Pollers:
    """Pages that poll over a few kept connections, each with its reader's session and the revision it shows."""

    def __init__(self, port: int, cookies: list[str]) -> None:
        self.port, self.cookies = port, cookies

    def run(self, due: Callable[[int], float], *, for_s: float) -> list[Answer]:
        """Poll for so long; `due(n)` is when the n-th poll is sent at the earliest, in seconds from now."""
        return asyncio.run(self._run(due, for_s))

    async def _run(self, due: Callable[[int], float], for_s: float) -> list[Answer]:
        numbers, began, answers = iter(range(10**9)), time.monotonic(), list[Answer]()

        async def keep_polling() -> None:
            reader, writer = await asyncio.open_connection(addresses.HOST, self.port)
            while time.monotonic() - began < for_s:
                number = next(numbers)
                at = began + due(number)
                await asyncio.sleep(max(at - time.monotonic(), 0))
                sent = at if due(1) else time.monotonic()
                status, size = await self._poll(reader, writer, number)
                answers.append(Answer(status, size, 1000 * (time.monotonic() - sent)))
            writer.close()

        await asyncio.gather(*(keep_polling() for _ in range(CONNECTIONS)))
        return answers

    async def _poll(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> tuple[int, int]:
        cookie = self.cookies[number % len(self.cookies)]
        path = f"/fragments/overview?rev={_Rounds.revision}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nHX-Request: true\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        named = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(named[0][15:]) if named else 0
        body = await reader.readexactly(length)
        return int(head[9:12]), len(head) + len(body)


class _Rounds:
    """Lets a round end every few seconds, as the collector does, and knows the revision that a page would show."""

    revision = ""

    def __enter__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._round()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(0.5):
            if time.monotonic() - self._at > EVERY_S:
                self._round()
            _Rounds.revision = overview.revision(declared.default())

    def _round(self) -> None:
        self._at = time.monotonic()
        refresh()
        live._bump(f"overview:{declared.default().name}")
        _Rounds.revision = overview.revision(declared.default())


def _cookie(name: str) -> str:
    client = signed_in(name)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
