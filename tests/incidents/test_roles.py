"""One person commands; who takes over is told where the incident stands; who looks at it is shown."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from incidents import incident as decide
from incidents import presence
from incidents.models import Incident
from novaops import live
from novaops.audit.models import Entry

Declare = Callable[..., Incident]
SignIn = Callable[[User], Client]


def test_command_is_handed_over_with_where_the_incident_stands(
    declare: Declare, commander: User, commander2: User, client_of: SignIn
) -> None:
    incident = declare(commander)
    url = reverse("incidents:roles", args=[incident.number])
    page = client_of(commander).get(url)
    assert incident.title in page.context["summary"]
    said = {"role": "commander", "user": commander2.pk, "note": "The restart is running."}
    assert client_of(commander).post(url, said)["Location"] == incident.get_absolute_url()
    incident.refresh_from_db()
    told = incident.timeline.get(data__handover=True)
    assert incident.commander == commander2
    assert told.text.startswith("Handed over to commander2:\nThe restart is running.\nSEV2 INC-")
    assert Entry.objects.latest("seq").detail["note"] == "The restart is running."


def test_taking_a_command_that_nobody_had_hands_nothing_over(
    declare: Declare, responder: User, commander: User
) -> None:
    incident = declare(responder)
    decide.set_commander(incident.number, commander, by=commander)
    assert not incident.timeline.filter(data__handover=True).exists()


def test_command_goes_to_commanders_only(declare: Declare, commander: User, responder: User, client_of: SignIn) -> None:
    incident = declare(commander)
    url = reverse("incidents:roles", args=[incident.number])
    answer = client_of(commander).post(url, {"role": "commander", "user": responder.pk})
    assert (answer.status_code, b"may not command" in answer.content) == (409, True)
    with pytest.raises(PermissionDenied):
        decide.set_commander(incident.number, commander, by=responder)


def test_the_other_roles_are_given_by_the_same_form(
    declare: Declare, commander: User, responder: User, client_of: SignIn
) -> None:
    incident = declare(commander)
    client = client_of(commander)
    client.post(reverse("incidents:roles", args=[incident.number]), {"role": "scribe", "user": responder.pk})
    assert [(role.name, role.user) for role in incident.roles.all()] == [("scribe", responder)]


def test_who_looks_is_shown_and_forgotten(
    declare: Declare, commander: User, viewer: User, client_of: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = declare(commander)
    client_of(viewer).get(incident.get_absolute_url())
    page = client_of(commander).get(reverse("incidents:here", args=[incident.number]))
    assert page.context["here"] == ["commander", "viewer"]
    monkeypatch.setattr(presence, "LEFT_AFTER_S", 0.0)
    assert presence.here(incident, commander) == ["commander"]


def test_without_redis_the_page_says_that_it_does_not_know(
    declare: Declare, commander: User, client_of: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = declare(commander)
    monkeypatch.setattr(live, "silent", lambda: True)
    page = client_of(commander).get(incident.get_absolute_url())
    assert page.status_code == 200
    assert b"Who else is looking is not known" in page.content
