"""Coming to an incident: one click on an alert, the list page by page, the timeline filtered and page by page."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dashboard.models import Alert
from incidents import browse, entries
from incidents import incident as decide
from incidents.models import Incident, TimelineEntry
from novaops.environment import Environment

Declare = Callable[..., Incident]
SignIn = Callable[[User], Client]
pytestmark = pytest.mark.django_db


def url(name: str, *args: object) -> str:
    return reverse(f"incidents:{name}", args=args)


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


def test_an_alert_is_declared_by_one_click(
    place: Environment, make_alert: Callable[..., Alert], client_of: SignIn, responder: User
) -> None:
    alert = make_alert()
    client = client_of(responder)
    assert f'action="{url("declare_alert", alert.pk)}"' in text(client.get("/"))
    first = client.post(url("declare_alert", alert.pk))
    incident = Incident.objects.get()
    assert (first.status_code, first["Location"]) == (302, incident.get_absolute_url())
    assert (incident.title, incident.severity, incident.services) == ("High CPU", "SEV2", ["api"])
    assert client.post(url("declare_alert", alert.pk))["Location"] == incident.get_absolute_url()
    other = client.post(url("declare_alert", make_alert(rule="error-rate", title="Server errors").pk))
    assert other.status_code == 409
    assert f"{incident.name} is open for this" in text(other)


def test_the_timeline_is_filtered_pinned_and_read_page_by_page(
    declare: Declare, client_of: SignIn, commander: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries.page, "__defaults__", ("", None, 5))
    incident = declare(commander)
    for n in range(12):
        decide.note(incident.number, f"note {n}.", by=commander)
    first = TimelineEntry.objects.get(text="note 0.")
    client, room = client_of(commander), incident.get_absolute_url()
    told, address = [], f"{room}?show=notes"
    while address:
        shown = text(client.get(address))
        told += re.findall(r"<span>(note \d+\.)", shown)
        older = re.search(r'rel="next" href="([^"]+)"', shown)
        address = unescape(older[1]) if older else ""
    assert told == [f"note {n}." for n in reversed(range(12))]
    assert "note 0." not in text(client.get(room))
    client.post(url("star", incident.number, first.pk), {"pinned": "on"})
    assert "note 0." in text(client.get(room))
    (oldest,) = re.findall(r'href="([^"]+)">The beginning', text(client.get(f"{room}?show=notes")))
    assert re.findall(r"note \d\.", text(client.get(unescape(oldest))))[-1] == "note 0."
    for until, seen in (
        (f"{first.at - timedelta(minutes=1):%Y-%m-%dT%H:%M}", False),
        (f"{first.at:%Y-%m-%dT%H:%M:%S.%f}", True),
        ("yesterday", False),
        ("2026-99-99T00:00", False),
    ):
        shown = text(client.get(room, {"show": "notes", "until": until}))
        assert (f'id="entry-{first.pk}"' in shown) == seen, until
    older = text(client.get(f"{room}?before={first.pk}"))
    assert "hx-get" not in older.partition('id="room"')[2].partition(">")[0]


def test_the_list_is_read_page_by_page(
    declare: Declare, make_alert: Callable[..., Alert], client_of: SignIn, commander: User
) -> None:
    for n in range(browse.INCIDENTS_A_PAGE + 1):
        declare(commander, alert=make_alert(rule=f"r{n}"), services=(), title=f"Incident {n}.")
    client = client_of(commander)
    first = client.get(url("list"))
    assert "Incident 0." not in text(first)
    assert "Incident 0." in text(client.get(url("list"), {"before": first.context["page"].older}))
