"""What machines ask of NovaOps: alive, ready, and what browsers blocked."""

import json

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.utils import OperationalError
from django.test import Client, RequestFactory

from dashboard import health
from dashboard.health import REPORT_BYTES, REPORTS_A_MINUTE

REPORT = {
    "csp-report": {"document-uri": "http://localhost/", "blocked-uri": "https://evil.example/x.js", "secret": "x"}
}


def report(body: object, client: Client | None = None):
    text = body if isinstance(body, str) else json.dumps(body)
    return (client or Client()).post("/csp-report", text, content_type="application/csp-report")


def test_healthz_asks_nothing():
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_healthz_answers_a_load_balancer_that_asks_by_address(settings):
    settings.ALLOWED_HOSTS = ["ops.example.com"]
    settings.SECURE_SSL_REDIRECT = True
    asked = {"host": "10.0.0.5:8000"}
    assert Client().get("/healthz", headers=asked).status_code == 200
    assert Client().get("/", headers=asked, secure=True).status_code == 400


@pytest.mark.django_db
def test_readyz_tells_how_old_collection_is(calm):
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["collection"] == {"sandbox": {"alive": False, "age_s": None}}
    calm()
    collection = Client().get("/readyz").json()["collection"]["sandbox"]
    assert collection["alive"]
    assert collection["age_s"] < 5


@pytest.mark.django_db
def test_readyz_is_503_without_redis(settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:9/0"}}
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert (answer.json()["redis"], answer.json()["database"]) == (False, True)


def test_readyz_is_503_without_the_database(monkeypatch):
    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(connection, "cursor", away)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["collection"] == {}


@pytest.mark.django_db
def test_a_report_is_logged_with_its_known_fields_only(caplog):
    assert report(REPORT).status_code == 204
    assert "evil.example" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '{"csp-report": 3}', "[" * 5000, '{"csp-report": [1]}', "\x00"]
)
def test_nonsense_is_refused(body: str):
    assert report(body).status_code == 400


def test_a_large_report_is_refused():
    assert report({"csp-report": {"document-uri": "x" * REPORT_BYTES}}).status_code == 413


def test_a_newline_in_a_report_stays_one_line(caplog):
    report({"csp-report": {"document-uri": "a\nERROR forged"}})
    assert "\n" not in caplog.records[-1].getMessage()


def test_so_many_reports_a_minute_are_enough(monkeypatch):
    monkeypatch.setattr(health, "REPORTS_A_MINUTE", 3)
    assert REPORTS_A_MINUTE > 3
    codes = [report(REPORT).status_code for _ in range(8)]
    assert 429 in codes
    cache.clear()
    assert report(REPORT).status_code == 204


@pytest.mark.django_db
def test_an_error_of_ours_says_so():
    assert b"NovaOps made a mistake" in health.server_error(RequestFactory().get("/")).content


def test_without_the_database_the_error_page_says_whom_to_call(monkeypatch):
    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(connection, "ensure_connection", away)
    answer = health.server_error(RequestFactory().get("/"))
    assert answer.status_code == 503
    assert b"+44 20 7946 0000" in answer.content
