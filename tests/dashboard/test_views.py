"""The pages of the dashboard: what they cost, who sees them, and what an open page gets."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dashboard import overview
from dashboard.models import Alert
from novaops import environment as declared
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


def test_an_unchanged_poll_of_a_session_that_was_let_in_asks_no_database(client_of, viewer, calm, environment):
    calm()
    moved_on(environment)
    client, url = client_of(viewer), "/fragments/overview"
    shown = {"rev": overview.revision(environment)}
    client.get(url, shown)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(url, shown)
    if shown["rev"] == overview.revision(environment):
        assert (answer.status_code, len(asked)) == (204, 0)
        assert sum(len(f"{name}: {value}\r\n") for name, value in answer.items()) < 150


def test_rows_that_are_shared_are_judged_anew_and_read_again_when_something_moved_on(calm, environment):
    now = calm()
    moved_on(environment)
    assert overview.shared(environment).verdict.state == "ok"
    with CaptureQueriesContext(connection) as queries:
        later = overview.shared(environment, now + timedelta(hours=1))
    if len(queries) == 0:
        assert later.verdict.state == "unknown"
    alert().save()
    moved_on(environment)
    assert overview.shared(environment).verdict.state == "crit"


def test_without_redis_rows_are_never_shared(calm, environment):
    calm()
    assert overview.shared(environment).verdict.state == "ok"
    alert().save()
    assert overview.shared(environment).verdict.state == "crit"


def test_a_session_that_no_view_let_in_gets_no_quick_answer(client, client_of, viewer, calm, environment):
    calm()
    moved_on(environment)
    shown = {"rev": overview.revision(environment)}
    client_of(viewer).get("/fragments/overview", shown)
    client.cookies["nova_s"] = "made-up"
    assert client.get("/fragments/overview", shown).status_code == 302


def test_an_open_page_asks_as_often_as_there_are_rounds_and_every_ten_seconds_at_least(client_of, viewer, calm):
    calm()
    for path in ("/", "/services/api/"):
        assert 'hx-trigger="every 5s, refresh"' in client_of(viewer).get(path).content.decode()
    slow = declared.default().model_copy(update={"collect_every_s": 60})
    assert overview.build(slow).poll_s == 10


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


def test_an_unknown_environment_shows_the_first(client_of, viewer, environment):
    assert client_of(viewer).get("/", {"environment": "nowhere"}).context["overview"].environment == environment


def test_every_page_has_the_bar(client_of, viewer, environment):
    answer = client_of(viewer).get(reverse("runbook:runs"))
    bar = answer.context["bar"]
    assert bar.environment == environment
    assert bar.counts == {"incidents": 0, "runs": 0, "approvals": 0}
    assert timezone.now() - bar.now < timedelta(minutes=1)
    assert Alert.objects.count() == 0


def test_an_alert_on_novaops_own_sight_has_a_page_and_may_be_an_incident(client_of, commander, calm):
    calm()
    own = alert("novaops", rule="aws-failing", title="The AWS APIs do not answer")
    own.save()
    client = client_of(commander)
    assert 'href="/vitals/?environment=sandbox"' in client.get(own.get_absolute_url()).content.decode()
    assert "The AWS APIs do not answer" in client.get("/").content.decode()
    answer = client.post(reverse("incidents:declare_alert", args=[own.pk]))
    assert (answer.status_code, answer["Location"].startswith("/incidents/")) == (302, True)
