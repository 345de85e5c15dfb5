"""The pages of the dashboard: what they cost, who sees them, and what an open page gets."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dashboard import overview, samples
from dashboard.models import Alert
from dashboard.samples import Key
from novaops import live
from tests.dashboard.test_overview import alert

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def moved_on(environment) -> None:
    live._bump(f"overview:{environment.name}")


@pytest.mark.parametrize("path", ["/", "/fragments/overview", "/services/api/"])
def test_a_page_needs_a_signed_in_user(path: str):
    assert Client().get(path).status_code == 302


@pytest.mark.parametrize("path", ["/", "/fragments/overview", "/services/api/"])
def test_a_page_is_only_read(client_of, viewer, path: str):
    assert client_of(viewer).post(path).status_code == 405


def test_the_overview_shows_verdict_and_tiles(client_of, viewer, calm):
    calm()
    html = client_of(viewer).get("/").content.decode()
    assert "All 4 services are healthy" in html
    for title in ("API server", "Database", "Redis", "Event processor"):
        assert title in html


def test_the_overview_costs_at_most_eight_queries(client_of, responder, calm, environment):
    calm()
    alert().save()
    client = client_of(responder)
    client.get("/")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get("/").status_code == 200
    assert len(queries) <= 8, [query["sql"][:100] for query in queries]


def test_an_unchanged_poll_gets_nothing(client_of, viewer, calm, environment):
    calm()
    moved_on(environment)
    client = client_of(viewer)
    current = overview.revision(environment)
    answer = client.get("/fragments/overview", {"rev": current}, headers=HTMX)
    if overview.revision(environment) == current:
        assert (answer.status_code, answer.content) == (204, b"")


def test_a_poll_that_moved_on_gets_the_fragment_with_the_next_revision(client_of, viewer, calm, environment):
    calm()
    moved_on(environment)
    html = client_of(viewer).get("/fragments/overview", {"rev": "1-1"}, headers=HTMX).content.decode()
    assert "<html" not in html
    assert "rev=" in html
    assert "rev=1-1" not in html


def test_the_fragment_is_rendered_once_for_all_of_the_same_rights(
    client_of, viewer, responder, commander, calm, environment
):
    calm()
    alert().save()
    moved_on(environment)
    clients = [client_of(user) for user in (viewer, responder, commander)]
    for client in clients:
        client.get("/fragments/overview")
    cache_keys = {overview.revision(environment)}
    seen = [client.get("/fragments/overview").content.decode() for client in clients]
    if cache_keys == {overview.revision(environment)}:
        assert seen[1] == seen[2]
        assert "Your role may not" in seen[0]
        assert "Your role may not" not in seen[1]


def test_the_shared_fragment_carries_nothing_of_a_single_user(client_of, responder, calm, environment):
    calm()
    alert().save()
    html = client_of(responder).get("/fragments/overview").content.decode()
    assert "csrf" not in html.lower()
    assert responder.get_username() not in html.replace("responder or", "")


def test_without_redis_every_poll_is_rendered(client_of, viewer, calm, environment):
    calm()
    cache.clear()
    assert overview.revision(environment) == ""
    assert client_of(viewer).get("/fragments/overview", {"rev": ""}).status_code == 200


def test_a_service_page_tells_why_what_and_what_can_be_done(client_of, responder, calm):
    now = calm()
    fired = alert(fired_at=now, started_at=now - timedelta(minutes=5))
    fired.save()
    series = samples.series_of("sandbox", {Key("api", "cpu"): "%"})[Key("api", "cpu")]
    samples.write({(series.pk, now - timedelta(minutes=n)): 90.0 + n for n in range(1, 20)}, now)
    answer = client_of(responder).get("/services/api/")
    assert [line.title for line in answer.context["series"]] == ["cpu"]
    assert answer.context["series"][0].highest > 100
    assert [one.pk for one in answer.context["alerts"]] == [fired.pk]
    assert [offer.action_key for offer in answer.context["offers"]][:2] == ["scale-api", "restart-api"]
    assert "High CPU" in answer.content.decode()


def test_a_service_page_lists_what_fires_first_and_forgets_what_is_old(client_of, viewer, calm):
    now = calm()
    for days, state in ((3, "firing"), (0, "cleared"), (3, "cleared")):
        alert(dedup_key=f"{days}{state}", state=state, fired_at=now - timedelta(days=days)).save()
    answer = client_of(viewer).get("/services/api/")
    assert [one.state for one in answer.context["alerts"]] == ["firing", "cleared"]


def test_a_service_page_polls_like_the_overview(client_of, viewer, calm, environment):
    calm()
    moved_on(environment)
    current = overview.revision(environment)
    client = client_of(viewer)
    answer = client.get("/services/api/", {"rev": current}, headers=HTMX)
    if overview.revision(environment) == current:
        assert answer.status_code == 204
    assert "<html" not in client.get("/services/api/", {"rev": "0-0"}, headers=HTMX).content.decode()


def test_an_unknown_service_is_not_found(client_of, viewer):
    assert client_of(viewer).get("/services/mainframe/").status_code == 404


def test_an_unknown_environment_shows_the_first(client_of, viewer, environment):
    assert client_of(viewer).get("/", {"environment": "nowhere"}).context["overview"].environment == environment


def test_every_page_has_the_bar(client_of, viewer, environment):
    answer = client_of(viewer).get(reverse("runbook:runs"))
    bar = answer.context["bar"]
    assert bar.environment == environment
    assert bar.counts == {"incidents": 0, "runs": 0, "approvals": 0}
    assert timezone.now() - bar.now < timedelta(minutes=1)
    assert Alert.objects.count() == 0
