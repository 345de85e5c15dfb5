"""`/metrics/<service>.json`: columns, thresholds and marks, for those who may see them, and never an error of ours."""

import gzip
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import overview, samples
from dashboard.models import Deployment
from dashboard.samples import Key
from incidents.models import Incident
from novaops import live
from novaops.access.models import Grant
from tests.dashboard.test_overview import alert

pytestmark = pytest.mark.django_db
URL = "/metrics/api.json"


def filled(minutes: int = 30) -> None:
    now = timezone.now()
    keys = {
        Key("api", name): "%" for name in ("cpu", "memory", "response_p95", "response_p50", "error_rate", "requests")
    }
    for row in samples.series_of("sandbox", keys).values():
        samples.write({(row.pk, now - timedelta(minutes=n)): 10 + n / 7 for n in range(1, minutes)}, now)


def test_it_answers_in_columns_with_three_digits(client_of, viewer, calm):
    calm()
    filled()
    told = client_of(viewer).get(URL, {"from": "-1h", "res": "5min"}).json()
    assert told["step"] == 300
    told = client_of(viewer).get(URL, {"from": "-1h"}).json()
    cpu = next(series for series in told["series"] if series["name"] == "cpu")
    assert (cpu["unit"], cpu["source"], cpu["title"]) == ("%", "CloudWatch", "cpu")
    known = [value for value in cpu["y"] if value is not None]
    assert len(known) >= 28
    assert all(value == float(f"{value:.3g}") for value in known)
    assert None in cpu["y"]
    assert told["thresholds"][0].items() >= {"series": "cpu", "value": 80, "severity": "crit"}.items()
    assert told["source"] == "CloudWatch, ECS"
    assert told["as_of"]


def test_it_marks_what_happened(client_of, viewer, calm):
    now = calm()
    alert(fired_at=now, started_at=now).save()
    counts = {"desired": 2, "running": 2, "failed_tasks": 0}
    for number, at in enumerate((now - timedelta(minutes=5), now - timedelta(days=2))):
        Deployment.objects.create(
            environment="sandbox",
            service="api",
            deployment_id=f"d{number}",
            task_definition="nova-api:7",
            at=at,
            seen_at=now,
            **counts,
        )
    Incident.objects.create(
        number=1,
        environment="sandbox",
        title="Slow",
        severity="SEV2",
        services=["api"],
        declared_at=now,
        started_at=now - timedelta(minutes=9),
    )
    events = client_of(viewer).get(URL, {"from": "-1h"}).json()["events"]
    assert [event["kind"] for event in events] == ["incident", "deployment", "alert"]
    assert events[0]["url"] == "/incidents/1/"
    assert client_of(viewer).get("/metrics/cache.json", {"from": "-1h"}).json()["events"] == []


def test_an_open_page_gets_nothing_while_nothing_moved_on(client_of, viewer, calm, environment):
    calm()
    live._bump(f"overview:{environment.name}")
    client, current = client_of(viewer), overview.revision(environment)
    answer = client.get(URL, {"rev": current})
    if overview.revision(environment) == current:
        assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(URL, {"rev": "0"}).json()["rev"] != "0"


@pytest.mark.parametrize(
    "params",
    [
        {"from": "soon"},
        {"to": "1e999"},
        {"res": "none"},
        {"from": "-9999d"},
        {"from": "now"},
        {"from": "-3d", "res": "raw"},
    ],
)
def test_what_cannot_be_answered_is_a_bad_request_with_a_sentence(client_of, viewer, params):
    answer = client_of(viewer).get(URL, params)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith((".", "end."))


def test_unknown_services_and_environments_are_not_found(client_of, viewer):
    client = client_of(viewer)
    assert client.get("/metrics/mainframe.json").status_code == 404
    assert client.get(URL, {"environment": "nowhere"}).status_code == 404


def test_who_may_not_see_the_environment_is_refused(client_of, user_with_role):
    elsewhere = user_with_role("elsewhere", "elsewhere")
    Grant.objects.create(group=Group.objects.get(name="elsewhere"), environment="another", verb="view")
    assert client_of(elsewhere).get(URL).status_code == 403
    assert Client().get(URL).status_code == 302


def test_a_day_of_six_charts_weighs_little_and_costs_few_queries(client_of, viewer, calm):
    calm()
    filled(1440)
    client = client_of(viewer)
    client.get(URL)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(URL, {"from": "-24h"}, headers={"Accept-Encoding": "gzip"})
    assert len(queries) <= 10, [query["sql"][:90] for query in queries]
    assert answer["Content-Encoding"] == "gzip"
    assert len(answer.content) <= 40_000
    assert len(json.loads(gzip.decompress(answer.content))["series"]) == 6
