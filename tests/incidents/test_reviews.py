"""A second person reviews, never the author; what is published is what was approved."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import checklist, documents, drafts, library, reviews
from incidents import incident as decide
from incidents.guard import Refused
from incidents.models import Draft, FollowUp, Incident, Postmortem, Review, Waiver
from novaops.audit.models import Entry

BASE = "https://ops.example"
Declare = Callable[..., Incident]
pytestmark = pytest.mark.django_db


@pytest.fixture
def written(worked: Incident, commander: User) -> Postmortem:
    """A post-mortem of a resolved incident, whose sections commander has answered."""
    incident = checklist.complete(worked.number, "resolve", by=commander)
    follow_up = FollowUp(title="Scale earlier", kind="prevent", owner=commander, due=timezone.now().date())
    decide.add_follow_up(incident.number, follow_up, by=commander)
    first = documents.ensure(incident.number, by=commander, base_url=BASE)
    lines = ["Answered." if line.startswith("> ") else line for line in first.text.split("\n")]
    return documents.save(incident.number, "\n".join(lines), first.version, by=commander)


def number(postmortem: Postmortem) -> int:
    return postmortem.incident.number


def test_a_review_is_refused_while_something_is_unfinished_unless_asked_anyway(
    worked: Incident, commander: User
) -> None:
    checklist.complete(worked.number, "resolve", by=commander)
    postmortem = documents.ensure(worked.number, by=commander, base_url=BASE)
    with pytest.raises(Refused) as refusal:
        reviews.ask(worked.number, postmortem.version, by=commander)
    assert "No follow-up is written down." in [reason.sentence for reason in refusal.value.reasons]
    assert reviews.ask(worked.number, postmortem.version, by=commander, anyway=True).verdict == "waiting"


def test_a_second_person_approves_and_it_is_published(written: Postmortem, commander: User, responder: User) -> None:
    reviews.ask(number(written), written.version, by=commander)
    reviews.decide(number(written), "", approve=True, by=responder)
    published = reviews.publish(number(written), written.version, "limit", by=commander)
    assert (published.state, published.published_version, published.factor) == ("published", written.version, "limit")
    found = library.find({"state": "published", "severity": "", "q": "answered"}, published.incident.environment)
    assert [incident.number for incident in found] == [number(published)]
    verbs = list(Entry.objects.order_by("-seq").values_list("verb", flat=True)[:3])
    assert verbs == ["postmortem.published", "postmortem.reviewed", "postmortem.review_asked"]


@pytest.mark.parametrize("who", ["author", "asker"])
def test_nobody_reviews_what_they_wrote_or_asked_for(
    written: Postmortem, commander: User, responder: User, who: str
) -> None:
    reviews.ask(number(written), written.version, by=responder)
    with pytest.raises(Refused, match="A second person reviews it"):
        reviews.decide(number(written), "", approve=True, by=commander if who == "author" else responder)


@pytest.mark.parametrize("who", ["author", "requested_by"])
def test_the_database_refuses_a_review_of_ones_own(
    written: Postmortem, commander: User, responder: User, who: str
) -> None:
    review = reviews.ask(number(written), written.version, by=responder)
    with pytest.raises(IntegrityError, match="nobody_reviews_their_own_text"), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(
            reviewer=getattr(review, who), verdict="approved", decided_at=timezone.now()
        )
    with pytest.raises(IntegrityError, match="a_verdict_has_a_reviewer"), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(verdict="approved")


def test_a_changed_text_withdraws_the_review_and_needs_another_approval(
    written: Postmortem, commander: User, responder: User
) -> None:
    reviews.ask(number(written), written.version, by=commander)
    newer = documents.save(number(written), written.text + "More.\n", written.version, by=commander)
    assert newer.state == "draft"
    assert Review.objects.get().verdict == "withdrawn"
    with pytest.raises(Refused) as refusal:
        reviews.publish(number(written), newer.version, "limit", by=commander)
    assert [reason.sentence for reason in refusal.value.reasons] == [
        f"Nobody else has approved version {newer.version}."
    ]


def test_changes_are_asked_for_with_words(written: Postmortem, commander: User, responder: User) -> None:
    reviews.ask(number(written), written.version, by=commander)
    with pytest.raises(Refused, match="at least 10 characters"):
        reviews.decide(number(written), "no", approve=False, by=responder)
    reviews.decide(number(written), "Who was told, and when?", approve=False, by=responder)
    written.refresh_from_db()
    assert written.state == "draft"


def test_it_is_not_published_while_a_follow_up_has_no_owner_or_date(
    written: Postmortem, commander: User, responder: User
) -> None:
    reviews.ask(number(written), written.version, by=commander)
    reviews.decide(number(written), "", approve=True, by=responder)
    decide.add_follow_up(number(written), FollowUp(title="Alone", kind="detect"), by=commander)
    with pytest.raises(Refused) as refusal:
        reviews.publish(number(written), written.version, "limit", by=commander)
    assert [reason.sentence for reason in refusal.value.reasons] == [
        "“Alone” has no owner who is still here, or no date."
    ]


def test_a_viewer_reviews_nothing(written: Postmortem, commander: User, viewer: User) -> None:
    reviews.ask(number(written), written.version, by=commander)
    with pytest.raises(PermissionDenied):
        reviews.decide(number(written), "", approve=True, by=viewer)


@pytest.mark.parametrize("severity", ["SEV1", "SEV2"])
def test_a_severe_incident_owes_its_post_mortem(written: Postmortem, commander: User, severity: str) -> None:
    Incident.objects.update(severity=severity)
    with pytest.raises(Refused, match="owes a post-mortem"):
        checklist.skip(number(written), "postmortem", "It was nothing at all", by=commander)


def test_a_slight_one_is_waived_with_a_reason(written: Postmortem, commander: User, responder: User) -> None:
    Incident.objects.update(severity="SEV3")
    with pytest.raises(Refused, match="at least 10 characters"):
        checklist.skip(number(written), "postmortem", "meh", by=commander)
    with pytest.raises(PermissionDenied):
        checklist.skip(number(written), "postmortem", "It was nothing at all", by=responder)
    incident = checklist.skip(number(written), "postmortem", "It was nothing at all", by=commander)
    assert (incident.state, incident.waiver.reason, incident.waiver.by) == (
        "closed",
        "It was nothing at all",
        commander,
    )
    checklist.reopen_step(number(written), "postmortem", "Let us write it after all", by=commander)
    assert not Waiver.objects.exists()


def test_what_was_typed_is_kept_for_its_author_until_it_is_saved(
    written: Postmortem, commander: User, responder: User
) -> None:
    drafts.keep(number(written), "half a sentence", written.version, by=commander)
    drafts.keep(number(written), "half a sentence more", written.version, by=commander)
    kept = drafts.of(written, commander)
    assert kept is not None
    assert (kept.text, kept.version) == ("half a sentence more", written.version)
    assert drafts.of(written, responder) is None
    written.refresh_from_db()
    assert "half" not in written.text
    documents.save(number(written), "whole", written.version, by=commander)
    assert not Draft.objects.exists()


def test_typing_back_to_what_is_saved_forgets_the_draft(written: Postmortem, commander: User) -> None:
    drafts.keep(number(written), "other", written.version, by=commander)
    drafts.keep(number(written), written.text, written.version, by=commander)
    assert not Draft.objects.exists()


def test_the_linter_sees_the_follow_ups_as_they_are_now(written: Postmortem, commander: User) -> None:
    gap = timezone.now() - timedelta(hours=3)
    Incident.objects.update(started_at=gap)
    written.incident.refresh_from_db()
    assert {str(finding.check) for finding in reviews.findings(written)} == {"gap"}
    FollowUp.objects.update(owner=None)
    assert {str(finding.check) for finding in reviews.findings(written)} == {"gap", "follow-up"}


def test_who_only_generated_it_again_is_not_its_author(
    written: Postmortem, commander: User, responder: User, commander2: User
) -> None:
    again, _ = documents.regenerate(number(written), by=responder, base_url=BASE)
    reviews.ask(number(written), again.version, by=responder)
    with pytest.raises(Refused, match="A second person reviews it"):
        reviews.decide(number(written), "", approve=True, by=commander)
    assert reviews.decide(number(written), "", approve=True, by=commander2).verdict == "approved"


def test_published_twice_it_is_published_once_and_reviewed_no_more(
    written: Postmortem, commander: User, responder: User
) -> None:
    reviews.ask(number(written), written.version, by=commander)
    reviews.decide(number(written), "", approve=True, by=responder)
    for _ in range(2):
        reviews.publish(number(written), written.version, "limit", by=commander)
    assert Entry.objects.filter(verb="postmortem.published").count() == 1
    assert written.incident.timeline.filter(text__endswith="published").count() == 1
    with pytest.raises(Refused, match="is published"):
        reviews.ask(number(written), written.version, by=commander)
    assert Postmortem.objects.get().state == "published"


def test_two_tabs_of_one_person_overwrite_each_other_never(
    written: Postmortem, commander: User, client_of: Callable[[User], Client]
) -> None:
    client, edit = client_of(commander), reverse("incidents:postmortem_edit", args=[number(written)])
    keep = reverse("incidents:postmortem_autosave", args=[number(written)])
    tabs = [client.get(edit).context["form"].initial for _ in range(2)]
    assert tabs[0]["tab"] != tabs[1]["tab"]
    for tab, words in zip(tabs, ("first", "second"), strict=True):
        client.post(keep, tab | {"text": f"{written.text}The {words} tab."})
    assert Draft.objects.count() == 2
    answer = client.post(edit, tabs[0] | {"text": f"{written.text}The first tab."})
    assert answer.status_code == 302
    assert Draft.objects.get().text.endswith("The second tab.")
    back = client.get(edit)
    assert "both" in back.context
    assert Draft.objects.get().tab == back.context["form"].initial["tab"]
    client.post(keep, tabs[1] | {"text": f"{written.text}The third text."})
    page = client.get(edit)
    assert len(page.context["others"]) == 1
    assert f"?draft={page.context['others'][0].pk}" in page.content.decode()
    chosen = client.get(edit, {"draft": page.context["others"][0].pk})
    assert chosen.context["draft"].pk == page.context["others"][0].pk


def test_a_session_that_ends_while_typing_takes_only_the_page_away(
    written: Postmortem, commander: User, client_of: Callable[[User], Client]
) -> None:
    client, edit = client_of(commander), reverse("incidents:postmortem_edit", args=[number(written)])
    typed = client.get(edit).context["form"].initial | {"text": "half a sentence"}
    client.post(reverse("incidents:postmortem_autosave", args=[number(written)]), typed)
    client.logout()
    answer = client.post(
        reverse("incidents:postmortem_autosave", args=[number(written)]),
        typed | {"text": "half a sentence more"},
        headers={"HX-Request": "true", "HX-Current-URL": f"https://ops.example{edit}"},
    )
    assert (answer.status_code, f"next={quote(edit, safe='')}" in answer["HX-Redirect"]) == (401, True)
    client.force_login(commander)
    page = client.get(edit)
    assert page.context["form"].initial["text"] == "half a sentence"
    # What the server never got, the tab itself has: static/app/editor.js.
    assert "data-keep" in page.content.decode()
    assert "app/editor.js" in page.content.decode()
