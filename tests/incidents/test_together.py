"""Several people in one incident: nobody overwrites unseen, steps have owners, closed ones are skipped and reopened."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import checklist, moments
from incidents import incident as decide
from incidents.guard import Conflict, Refused
from incidents.models import Incident, TimelineEntry
from incidents.severity import computed
from novaops.audit.models import Entry

Declare = Callable[..., Incident]
SignIn = Callable[[User], Client]
pytestmark = pytest.mark.django_db


def url(name: str, *args: object) -> str:
    return reverse(f"incidents:{name}", args=args)


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


def step_of(incident: Incident, key: str) -> object:
    return incident.steps.get(key=key)


def test_who_was_overtaken_sees_both_versions_and_keeps_what_was_typed(
    declare: Declare, client_of: SignIn, commander: User, commander2: User
) -> None:
    number = declare(commander).number
    first, second = client_of(commander), client_of(commander2)
    opened = first.get(url("step", number, "assess")).context["affected_form"].initial["version"]
    theirs = {"title": "Payments fail", "services": ["api"], "impact": "Every merchant", "version": opened}
    assert second.post(url("affected", number), theirs).status_code == 302
    mine = {"title": "High CPU on the API", "services": ["api", "cache"], "impact": "Half of them", "version": opened}
    answer = first.post(url("affected", number), mine)
    assert answer.status_code == 409
    for shown in (
        "Somebody changed it",
        "<del>Every merchant</del>",
        "<ins>Half of them</ins>",
        "Payments fail",
    ):
        assert shown in text(answer)
    assert Incident.objects.get().impact == "Every merchant"
    version = answer.context["affected_form"]["version"].value()
    assert first.post(url("affected", number), {**mine, "version": version}).status_code == 302
    told = list(TimelineEntry.objects.filter(text__startswith="Affected:").values_list("text", flat=True))
    assert [("Every merchant" in one, "Half of them" in one) for one in told] == [(True, False), (False, True)]


def test_a_severity_from_an_old_form_is_refused(declare: Declare, client_of: SignIn, commander: User) -> None:
    incident = declare(commander)
    decide.set_severity(incident.number, "SEV1", by=commander)
    with pytest.raises(Conflict):
        decide.set_severity(incident.number, "SEV4", by=commander, version=incident.version)
    answer = client_of(commander).post(
        url("severity", incident.number), {"severity": "SEV4", "reason": "calm", "version": incident.version}
    )
    assert (answer.status_code, "<del>SEV1</del>" in text(answer)) == (409, True)


@pytest.mark.parametrize(
    ("reach", "loss", "severity"),
    [
        ("all", "no", "SEV1"),
        ("many", "no", "SEV2"),
        ("redundancy", "no", "SEV2"),
        ("some", "no", "SEV3"),
        ("none", "no", "SEV4"),
        ("unsure", "no", "SEV2"),
        ("none", "yes", "SEV1"),
        ("none", "unsure", "SEV1"),
    ],
)
def test_the_severity_follows_from_the_impact_the_higher_when_unsure(reach: str, loss: str, severity: str) -> None:
    assert computed(reach, loss) == severity


def test_declaring_asks_for_the_impact_and_takes_a_chosen_severity(
    declare: Declare, place: object, client_of: SignIn, commander: User
) -> None:
    client = client_of(commander)
    said = {"environment": "sandbox", "title": "Odd", "services": ["api"], "report": "Seen", "anyway": "on"}
    assert "Say who notices" in text(client.post(url("new"), said))
    client.post(url("new"), {**said, "reach": "some", "loss": "unsure"})
    client.post(url("new"), {**said, "reach": "some", "severity": "SEV2"})
    assert list(Incident.objects.order_by("number").values_list("severity", flat=True)) == ["SEV1", "SEV2"]


def test_a_step_has_an_owner(declare: Declare, client_of: SignIn, responder: User, viewer: User) -> None:
    number = declare(responder).number
    client = client_of(responder)
    client.post(url("owner", number, "mitigate"))
    assert step_of(Incident.objects.get(), "mitigate").owner == responder  # type: ignore[attr-defined]
    assert client.post(url("owner", number, "mitigate"), {"owner": viewer.pk}).status_code == 409
    client.post(url("owner", number, "mitigate"), {"owner": ""})
    assert step_of(Incident.objects.get(), "mitigate").owner is None  # type: ignore[attr-defined]
    assert Entry.objects.filter(verb="incident.owner").count() == 2


def test_a_step_is_skipped_only_with_a_reason_and_reopened_with_one(declare: Declare, commander: User) -> None:
    number = declare(commander).number
    with pytest.raises(Refused, match="reason"):
        checklist.skip(number, "communicate", "no", by=commander)
    checklist.skip(number, "communicate", "Nobody outside noticed it", by=commander)
    step = step_of(Incident.objects.get(), "communicate")
    assert (step.state, step.override_reason) == ("skipped", "Nobody outside noticed it")  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="reason"):
        checklist.reopen_step(number, "communicate", "", by=commander)
    checklist.reopen_step(number, "communicate", "A merchant called after all", by=commander)
    assert step_of(Incident.objects.get(), "communicate").is_open  # type: ignore[attr-defined]
    assert Entry.objects.filter(verb="incident.step").count() == 2


def test_resolve_is_never_skipped_and_a_post_mortem_only_where_none_is_owed(worked: Incident, commander: User) -> None:
    number = worked.number
    with pytest.raises(Refused, match="cannot be skipped"):
        checklist.skip(number, "resolve", "It is over, believe me", by=commander)
    checklist.complete(number, "resolve", by=commander)
    with pytest.raises(Refused, match="owes a post-mortem"):
        checklist.skip(number, "postmortem", "We know what it was", by=commander)
    decide.set_severity(number, "SEV4", by=commander)
    checklist.skip(number, "postmortem", "We know what it was", by=commander)
    assert Incident.objects.get().state == "closed"
    checklist.reopen_step(number, "postmortem", "Let us write it after all", by=commander)
    assert Incident.objects.get().state == "resolved"
    checklist.reopen_step(number, "resolve", "It began once more", by=commander)
    assert Incident.objects.get().is_open


def test_a_moment_is_set_to_its_true_time_and_what_was_said_before_is_kept(
    declare: Declare, client_of: SignIn, responder: User
) -> None:
    incident = declare(responder)
    before, true = incident.started_at, incident.started_at - timedelta(minutes=30)
    client = client_of(responder)
    said = {"name": "started", "at": f"{true:%Y-%m-%dT%H:%M:%S}", "reason": "first failed login in the log"}
    assert client.post(url("moments", incident.number), {**said, "version": incident.version}).status_code == 302
    assert Incident.objects.get().started_at == true.replace(microsecond=0)
    entry = TimelineEntry.objects.get(data__moment="started")
    assert (entry.data["from"], entry.starred) == (before.isoformat(), True)
    page = text(client.get(url("moments", incident.number)))
    assert "corrected" in page
    assert "first failed login in the log" in page
    again = client.post(url("moments", incident.number), {**said, "reason": "x", "version": incident.version})
    assert again.status_code == 409


def test_a_moment_cannot_be_where_it_makes_no_sense(declare: Declare, commander: User) -> None:
    incident, now = declare(commander), timezone.now()
    for name, at, sentence in (
        ("detected", incident.started_at - timedelta(hours=1), "would be before Started"),
        ("started", now + timedelta(hours=1), "future"),
        ("resolved", now, "not resolved yet"),
        ("lunch", now, "no moment"),
    ):
        with pytest.raises(Refused, match=sentence):
            moments.set_moment(incident.number, name, at, "a graph", by=commander)
    assert not TimelineEntry.objects.filter(data__has_key="moment").exists()
