"""Below the charts: settings with their age, deployments, keys, and forms that ask a worker."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import collect, enquiries
from dashboard.models import Deployment, Enquiry, Reading
from novaops.environment import SERVICE_KINDS

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ASK = "/services/events/ask/logs"
LOOK = {"text": "", "minutes": "15"}


def test_settings_have_source_and_age(client_of, viewer, aws, environment, nova_redis):
    collect.collect(environment, early=True)
    html = client_of(viewer).get("/services/api/detail/").content.decode()
    for words in ("DB_POOL_MAX", "<code>20</code>", "Task definition", "relative-time"):
        assert words in html
    assert "START_BLOCK" in client_of(viewer).get("/services/events/detail/").content.decode()
    assert "maxmemory-policy" in client_of(viewer).get("/services/cache/detail/").content.decode()
    assert Deployment.objects.filter(service="api").exists()


def test_a_setting_that_is_told_no_more_keeps_its_age(client_of, viewer, environment):
    old = timezone.now() - timedelta(minutes=7)
    facts = {"policy": "allkeys-lru", "told_at": {"Redis": old.isoformat()}}
    Reading.objects.create(environment="sandbox", service="cache", at=timezone.now(), facts=facts)
    html = client_of(viewer).get("/services/cache/detail/").content.decode()
    assert "allkeys-lru" in html
    assert "7 min ago" in html
    assert "No data" in html


def test_an_open_page_follows_the_facts_and_leaves_what_is_typed(client_of, viewer):
    html = client_of(viewer).get("/services/events/detail/", headers=HTMX).content.decode()
    facts, forms = html.split('id="logs-title"')
    assert 'hx-select="#facts" hx-trigger="every 30s"' in facts
    assert "every 30s" not in forms
    assert "rev=0" in facts


@pytest.mark.parametrize("kind", SERVICE_KINDS)
def test_the_details_cost_few_queries(client_of, responder, kind):
    client, path = client_of(responder), f"/services/{kind}/detail/"
    client.get(path)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    assert len(queries) <= 15, [query["sql"][:90] for query in queries]


def test_asking_leads_to_a_page_that_waits_and_then_tells(client_of, responder, environment):
    client = client_of(responder)
    answer = client.post(ASK, LOOK)
    row = Enquiry.objects.get()
    assert answer["Location"] == row.get_absolute_url()
    assert row.params == {"text": "", "minutes": 15, "only_errors": False}
    waiting = client.get(row.get_absolute_url(), headers=HTMX).content.decode()
    assert 'hx-trigger="every 1s"' in waiting
    told = {"lines": [{"at": timezone.now().isoformat(), "stream": "1", "message": "<b>bold</b>"}], "groups": []}
    Enquiry.objects.update(state="told", told_at=timezone.now(), answer=told)
    html = client.get(row.get_absolute_url()).content.decode()
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert 'hx-trigger="every 1s"' not in html
    assert "&lt;b&gt;bold" in client.get("/services/events/detail/").content.decode()


def test_who_may_only_look_cannot_ask(client_of, viewer):
    client = client_of(viewer)
    assert client.post(ASK, LOOK).status_code == 403
    assert "Your role may not run safe actions" in client.get("/services/events/detail/").content.decode()


@pytest.mark.parametrize("wrong", [{"minutes": "7"}, {"minutes": "x"}, {"minutes": "15", "text": "x" * 101}])
def test_what_cannot_be_asked_is_shown_again_with_why(client_of, responder, wrong):
    answer = client_of(responder).post(ASK, wrong, headers=HTMX)
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert not Enquiry.objects.exists()


@pytest.mark.parametrize("path", ["/services/cache/ask/logs", "/services/api/ask/connections", "/services/api/ask/x"])
def test_what_a_service_does_not_have_cannot_be_asked(client_of, responder, path):
    assert client_of(responder).post(path, LOOK).status_code == 404


def test_an_enquiry_that_nobody_takes_says_so(client_of, viewer, responder, environment):
    row = enquiries.ask(environment, "events", "logs", {"text": "", "minutes": 5, "only_errors": True}, responder)
    Enquiry.objects.update(asked_at=timezone.now() - timedelta(seconds=30))
    assert "No worker has taken this" in client_of(viewer).get(row.get_absolute_url()).content.decode()
