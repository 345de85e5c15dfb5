"""Signed webhooks on a durable PostgreSQL: bar 500 accepted a second on two cores, none lost, none forged kept."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

from django.utils import timezone

from dashboard.hooks import inbox
from dashboard.hooks.letters import Letter
from tests.hooks_storm import KEPT, Storm, forged, signed, site

MESSAGES = 4000
SENDERS = 16
READ = 1000


def figures() -> Iterator[str]:
    """One line each for taking, taking over a restart, and reading."""
    with tempfile.TemporaryDirectory(prefix="novaops-hooks-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield from _of_site(Path(name))


def _of_site(directory: Path) -> Iterator[str]:
    with site(directory) as running:
        Storm(running.port).blow(signed(500, "warm"), SENDERS)
        storm = Storm(running.port)
        before_s = running.cpu_s()
        took_s = storm.blow([*signed(MESSAGES), *forged(100)], SENDERS)
        spent_ms = 1000 * (running.cpu_s() - before_s) / MESSAGES
        cuts = quantiles(storm.took_ms, n=20)
        accepted = sum(storm.answers[status] for status in KEPT)
        yield (
            f"signed webhooks: {accepted / took_s:.0f} accepted/s beside their {SENDERS} senders (bar 500),"
            f" p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms (bar 50), {storm.answers[401]} of 200 forged refused"
        )
        yield f"web and database: {spent_ms:.2f} ms of CPU a message, {2000 / spent_ms:.0f}/s on two cores of their own"
        calm = Storm(running.port)
        calm.blow(signed(500, "calm"), 1)
        cuts = quantiles(calm.took_ms, n=20)
        yield f"one sender alone: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms"
        storm = Storm(running.port)
        storm.blow(signed(MESSAGES, "over"), SENDERS, lambda: (time.sleep(1), running.restart_database())[0])
        kept = sum(ident.startswith("over-") for ident in running.kept())
        yield f"over a restart of PostgreSQL: {MESSAGES} sent, {kept} kept, {len(storm.lost)} given up by their sender"
    yield _reading()


def _reading() -> str:
    """How fast one worker reads what waits, each message being of an alert that fires already."""
    body = b'{"name": "checkout", "state": "firing", "service": "api"}'
    for number in range(READ):
        inbox.keep(
            Letter(source="synthetics", ident=f"read-{number}", environment="sandbox"), body, "https", timezone.now()
        )
    began = time.perf_counter()
    read = 0
    while some := inbox.read_waiting():
        read += some
    return f"reading: {read / (time.perf_counter() - began):.0f} messages/s by one worker"
