"""The pages of services: why, charts that stand without JavaScript, their tables, what they cost and who sees them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard import overview, rollups, samples
from dashboard.history import RANGES
from dashboard.samples import Key
from dashboard.services.base import services
from novaops import live
from novaops.environment import SERVICE_KINDS
from tests.dashboard.test_overview import alert

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def filled(now: datetime, name: str = "cpu", minutes: int = 20) -> None:
    series = samples.series_of("sandbox", {Key("api", name): "%"})[Key("api", name)]
    samples.write({(series.pk, now - timedelta(minutes=n)): 90.0 + n for n in range(1, minutes)}, now)
    rollups.roll_up(now)


def moved_on(environment) -> None:
    live._bump(f"overview:{environment.name}")


def test_a_service_page_tells_why_what_and_what_can_be_done(client_of, responder, calm):
    now = calm()
    fired = alert(fired_at=now, started_at=now - timedelta(minutes=5))
    fired.save()
    filled(now)
    filled(now, "response_p95")
    answer = client_of(responder).get("/services/api/", {"range": "1h"})
    assert [one.pk for one in answer.context["alerts"]] == [fired.pk]
    assert [offer.action_key for offer in answer.context["offers"]][:2] == ["scale-api", "restart-api"]
    html = answer.content.decode()
    for words in ("High CPU", "CPU is at 96 %", "Lasted", "5 min"):
        assert words in html


def test_what_rules_would_suggest_comes_before_the_rest_which_is_folded(client_of, viewer, calm):
    calm()
    answer = client_of(viewer).get("/services/database/")
    assert {"fail-over-database", "reboot-database", "terminate-connections"} <= {
        offer.action_key for offer in answer.context["offers"][:5]
    }
    assert f"{len(answer.context['offers']) - 5} more" in answer.content.decode()


def test_a_service_page_lists_what_fires_first_and_forgets_what_is_old(client_of, viewer, calm):
    now = calm()
    for days, state in ((3, "firing"), (0, "cleared"), (3, "cleared")):
        alert(dedup_key=f"{days}{state}", state=state, fired_at=now - timedelta(days=days)).save()
    answer = client_of(viewer).get("/services/api/")
    assert [one.state for one in answer.context["alerts"]] == ["firing", "cleared"]


@pytest.mark.parametrize("path", ["/services/api/", "/services/"])
def test_a_service_page_polls_like_the_overview(client_of, viewer, calm, environment, path):
    calm()
    moved_on(environment)
    current = overview.revision(environment)
    client = client_of(viewer)
    answer = client.get(path, {"rev": current}, headers=HTMX)
    if overview.revision(environment) == current:
        assert answer.status_code == 204
    html = client.get(path, {"rev": "0-0"}, headers=HTMX).content.decode()
    assert "<html" not in html
    assert "data-charts" not in html


@pytest.mark.parametrize("kind", SERVICE_KINDS)
@pytest.mark.parametrize("name", RANGES)
def test_every_service_has_its_charts_for_every_range(client_of, viewer, calm, environment, kind, name):
    calm()
    html = client_of(viewer).get(f"/services/{kind}/", {"range": name}).content.decode()
    for chart in services[kind].charts_in(environment):
        assert f'id="chart-{chart.key}"' in html
    assert f"&amp;from=-{name}" in html
    assert "No data yet" in html


def test_without_javascript_a_chart_is_a_line_and_a_sentence(client_of, viewer, calm):
    filled(calm())
    html = client_of(viewer).get("/services/api/", {"range": "1h"}).content.decode()
    assert 'role="img" aria-label="CPU and memory. cpu: ' in html
    assert "lowest 91, highest 109" in html
    assert "<script>" not in html


def test_a_chart_as_a_table_has_its_values_thresholds_and_what_happened(client_of, viewer, calm):
    now = calm()
    filled(now)
    alert(fired_at=now - timedelta(seconds=90), started_at=now - timedelta(minutes=5)).save()
    answer = client_of(viewer).get("/services/api/table/", {"chart": "cpu", "range": "1h"})
    html = answer.content.decode()
    assert "High CPU holds beyond 80" in html
    assert [mark.kind for mark in answer.context["found"].marks] == ["alert"]
    assert '<td class="num">91</td>' in html
    assert html.count("<tr>") > 60


@pytest.mark.parametrize("name", RANGES)
def test_a_table_stays_short_whatever_the_range(name):
    now = datetime(2026, 11, 25, 12, 34, 56, tzinfo=UTC)
    assert RANGES[name].stretch(now).bins <= 130


def test_every_page_of_a_service_costs_at_most_fifteen_queries(client_of, responder, calm):
    now = calm()
    filled(now)
    alert(fired_at=now, started_at=now).save()
    client = client_of(responder)
    for path in ("/services/api/", "/services/", "/services/api/table/?chart=cpu"):
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        assert len(queries) <= 15, (path, [query["sql"][:90] for query in queries])


@pytest.mark.parametrize(
    "path",
    [
        "/services/mainframe/",
        "/services/mainframe/table/",
        "/services/api/table/?chart=none",
        "/services/?environment=x",
    ],
)
def test_what_is_not_there_is_not_found(client_of, viewer, path):
    assert client_of(viewer).get(path).status_code == 404
