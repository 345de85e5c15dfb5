"""The editor in the browser's words: nothing typed is lost, findings stand beside it, a second person reviews."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import checklist, documents
from incidents import incident as decide
from incidents.models import Draft, FollowUp, Incident, Postmortem

SignIn = Callable[[User], Client]
pytestmark = pytest.mark.django_db


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


@pytest.fixture
def resolved(worked: Incident, commander: User) -> Incident:
    return checklist.complete(worked.number, "resolve", by=commander)


@pytest.fixture
def document(resolved: Incident, commander: User) -> Postmortem:
    return documents.ensure(resolved.number, by=commander, base_url="")


def url(name: str, document: Postmortem) -> str:
    return reverse(f"incidents:postmortem{name}", args=[document.incident.number])


def test_what_is_typed_is_kept_and_comes_back(document: Postmortem, client_of: SignIn, commander: User) -> None:
    client = client_of(commander)
    typed = {"text": "half a sentence", "version": document.version}
    assert "not saved as a version yet" in text(client.post(url("_autosave", document), typed))
    page = client.get(url("_edit", document))
    assert page.context["form"].initial["text"] == "half a sentence"
    assert "is back, not saved yet" in text(page)
    assert client.post(url("_discard", document)).status_code == 302
    assert client.get(url("_edit", document)).context["form"].initial["text"] == document.text


def test_typing_while_another_saves_shows_what_they_changed_and_keeps_both(
    document: Postmortem, client_of: SignIn, commander: User, responder: User
) -> None:
    theirs = document.text.replace("> What went well?", "Their words.")
    documents.save(document.incident.number, theirs, document.version, by=responder)
    mine = document.text.replace("> What went badly?", "My words.")
    client = client_of(commander)
    answer = client.post(url("_autosave", document), {"text": mine, "version": document.version})
    assert answer.status_code == 409
    assert "<ins>+ Their words.</ins>" in text(answer)
    assert Draft.objects.get().text == mine
    page = client.get(url("_edit", document))
    assert page.context["both"] == ()
    joined = page.context["form"].initial
    assert "Their words." in joined["text"]
    assert "My words." in joined["text"]
    assert client.post(url("_edit", document), joined).status_code == 302
    assert Postmortem.objects.get().text == joined["text"]


def test_saving_over_the_same_section_is_a_decision(
    document: Postmortem, client_of: SignIn, commander: User, responder: User
) -> None:
    theirs, mine = (document.text.replace("> What went well?", words) for words in ("Theirs.", "Mine."))
    documents.save(document.incident.number, theirs, document.version, by=responder)
    answer = client_of(commander).post(url("_edit", document), {"text": mine, "version": document.version})
    assert answer.status_code == 409
    assert answer.context["both"] == ("lessons-well",)
    assert "<del>- Theirs.</del>" in text(answer)
    assert Postmortem.objects.get().text == theirs


def test_the_findings_follow_what_is_typed(document: Postmortem, client_of: SignIn, commander: User) -> None:
    page = text(client_of(commander).post(url("_preview", document), {"text": "It was human error."}))
    assert 'id="findings" hx-swap-oob="true"' in page
    assert "looks for somebody to blame" in page


def test_the_versions_show_what_each_changed(document: Postmortem, client_of: SignIn, commander: User) -> None:
    documents.save(
        document.incident.number,
        document.text.replace("> What went well?", "<b>All</b>"),
        document.version,
        by=commander,
    )
    page = text(client_of(commander).get(url("_versions", document)))
    assert "<ins>+ &lt;b&gt;All&lt;/b&gt;</ins>" in page
    assert client_of(commander).get(url("_versions", document), {"to": "99"}).status_code == 404


def test_the_whole_way_to_a_published_post_mortem_by_forms(
    document: Postmortem, client_of: SignIn, commander: User, responder: User
) -> None:
    first, second = client_of(commander), client_of(responder)
    asked = {"version": document.version}
    refused = first.post(url("_review", document), asked)
    assert refused.status_code == 409
    assert "Nobody answered yet: What went well?" in text(refused)
    follow_up = FollowUp(title="Scale earlier", kind="prevent", owner=commander, due=timezone.now().date())
    decide.add_follow_up(document.incident.number, follow_up, by=commander)
    assert first.post(url("_review", document), asked | {"anyway": "on"}).status_code == 302
    assert 'value="approve"' not in text(first.get(url("", document)))
    assert 'value="approve"' in text(second.get(url("", document)))
    assert first.post(url("_decide", document), {"verdict": "approve"}).status_code == 409
    assert second.post(url("_decide", document), {"verdict": "approve"}).status_code == 302
    assert first.post(url("_publish", document), asked).status_code == 409
    assert first.post(url("_publish", document), asked | {"factor": "limit"}).status_code == 302
    assert f"Version {document.version} is published." in text(first.get(url("", document)))


def test_a_slight_incident_is_waived_on_its_page(
    document: Postmortem, client_of: SignIn, commander: User, responder: User
) -> None:
    assert "Waive the post-mortem" not in text(client_of(commander).get(url("", document)))
    Incident.objects.update(severity="SEV4")
    assert client_of(responder).post(url("_waive", document), {"reason": "Nobody noticed it"}).status_code == 403
    assert client_of(commander).post(url("_waive", document), {"reason": "Nobody noticed it"}).status_code == 302
    assert "Waived by commander" in text(client_of(commander).get(url("", document)))
