"""NovaOps watches itself: a dead beat, worker, queue or collector is seen, told, and makes the verdict Unknown."""

import http.server
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from dashboard import overview, pulses, tasks, vitals
from dashboard.models import Pulse, Round
from dashboard.status import State
from novaops.access import tokens
from novaops.runbook.tasks import SWEPT_AT

pytestmark = pytest.mark.django_db
SILENT = timedelta(seconds=50)


@pytest.fixture
def alive(environment):
    """Everything that can be felt has just been felt."""
    pulses.felt(worker="celery@one", beat=True)
    for queue in ("runs", "watch"):
        pulses.felt(worker="celery@one", queue=queue, delay_s=0.01)
    now = timezone.now()
    Round.objects.create(environment=environment.name, started_at=now, finished_at=now, sources=9, samples=60)
    cache.set(SWEPT_AT, now.isoformat())


def state_of(title: str) -> State:
    return next(vital.state for vital in vitals.read() if vital.title == title)


def silence(name: str) -> None:
    assert Pulse.objects.filter(name__startswith=name).update(at=timezone.now() - SILENT)


def test_when_all_lives_nothing_is_worse_than_unknown(alive):
    assert {vital.title: vital.state for vital in vitals.read() if vital.state != State.OK} == {
        "Watchman": State.UNKNOWN
    }


@pytest.mark.parametrize(
    ("name", "title"), [("beat", "Beat"), ("worker:", "Worker celery@one"), ("queue:runs", "Queue runs")]
)
def test_a_silent_part_is_critical_within_a_minute(alive, name, title):
    silence(name)
    assert state_of(title) == State.CRIT


def test_a_silent_worker_beside_a_living_one_is_a_warning(alive):
    silence("worker:")
    pulses.felt(worker="celery@two")
    assert state_of("Worker celery@one") == State.WARN
    assert state_of("Worker celery@two") == State.OK


@pytest.mark.parametrize(("delay_s", "state"), [(0.1, State.OK), (6, State.WARN), (31, State.CRIT)])
def test_a_queue_is_judged_by_how_long_its_messages_wait(alive, delay_s, state):
    pulses.felt(worker="celery@one", queue="runs", delay_s=delay_s)
    assert state_of("Queue runs") == state


def test_without_any_sign_of_life_everything_that_should_give_one_is_critical():
    found = {vital.title: vital.state for vital in vitals.read()}
    for title in ("Beat", "Worker", "Queue runs", "Queue watch", "Collection of Sandbox"):
        assert found[title] == State.CRIT


def test_an_old_round_is_critical_and_a_failed_source_a_warning(alive, environment):
    Round.objects.update(failed=["RDS: it did not answer"])
    assert state_of("Collection of Sandbox") == State.WARN
    Round.objects.update(started_at=timezone.now() - timedelta(seconds=3 * environment.collect_every_s))
    assert state_of("Collection of Sandbox") == State.CRIT


def test_a_pulse_tells_worker_beat_and_queue(settings):
    settings.CELERY_TASK_ALWAYS_EAGER = True
    tasks.pulse.apply(kwargs={"beat": True, "queue": "runs", "sent_at": timezone.now().timestamp() - 3})
    assert Pulse.objects.get(pk="queue:runs").delay_s == pytest.approx(3, abs=1)
    assert set(Pulse.objects.values_list("name", flat=True)) >= {"beat", "queue:runs"}
    assert Pulse.objects.filter(name__startswith="worker:").exists()


@pytest.mark.parametrize(
    ("name", "told"), [("beat", "The beat of NovaOps has been silent since"), ("worker:", "No worker of NovaOps")]
)
def test_the_verdict_is_unknown_when_beat_or_all_workers_are_silent(alive, calm, environment, name, told):
    calm()
    assert overview.build(environment).verdict.state == State.OK
    silence(name)
    built = overview.build(environment)
    assert built.verdict.state == State.UNKNOWN
    assert told in built.verdict.sentence
    assert State.OK not in [tile.state for tile in built.tiles]


def test_the_page_shows_every_part_and_the_last_rounds(alive, client_of, viewer, django_assert_max_num_queries):
    client = client_of(viewer)
    with django_assert_max_num_queries(16):
        page = client.get("/vitals/").content.decode()
    for words in ("Beat", "Worker celery@one", "Queue runs", "Audit chain", "Last rounds of collection"):
        assert words in page


def test_prometheus_scrapes_with_a_token_that_may_read(alive, calm, client, viewer, admin):
    calm()
    _, text = tokens.create(viewer, name="prometheus", scopes=["read"], days=7, by=admin)
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 200
    told = answer.content.decode()
    for line in (
        'novaops_alive{part="Beat"} 1.0',
        'novaops_service_state{environment="sandbox",service="verdict",state="ok"} 1.0',
        'novaops_runs{status="running"} 0.0',
        "novaops_queue_seconds",
    ):
        assert line in told


@pytest.mark.parametrize("header", ["", "Bearer nova_x", "Basic abc"])
def test_nobody_else_scrapes(client, header):
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 401


@pytest.fixture
def watchman() -> Iterator[tuple[str, list[str]]]:
    """A watchman's address, and what it was told."""
    told: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.append(self.path)
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()
    server.server_close()


def test_the_watchman_is_told_while_all_lives(alive, watchman, settings):
    address, told = watchman
    settings.WATCHMAN_URL = f"{address}/ping"
    vitals.tell_watchman()
    assert told == ["/ping"]
    assert state_of("Watchman") == State.OK


def test_the_watchman_hears_nothing_when_a_part_is_dead(alive, watchman, settings):
    address, told = watchman
    settings.WATCHMAN_URL = f"{address}/ping"
    silence("beat")
    vitals.tell_watchman()
    assert told == []


def test_a_redirect_is_not_followed_and_the_address_not_logged(alive, watchman, settings, caplog):
    address, told = watchman
    settings.WATCHMAN_URL = f"{address}/moved"
    vitals.tell_watchman()
    assert told == ["/moved"]
    assert "answered 302" in caplog.text
    assert address not in caplog.text
