"""From a draft to a published post-mortem: what it lacks, a review by a second person, publishing."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import DateTimeField, Func, Max, Min, Value
from django.utils import timezone

from incidents import owed, search
from incidents.evidence import Missing
from incidents.guard import Refused, locked
from incidents.models import FollowUp, Incident, Postmortem, Review
from incidents.postmortem.factors import Factor
from incidents.postmortem.lint import LONGEST_GAP, Finding, Known, lint
from incidents.postmortem.story import FollowUpFact
from incidents.timeline import Kind, append
from novaops.access.policy import Verb
from novaops.audit import chain

SHORTEST_REASON = 10
# Shorter than the shortest gap that the linter asks about.
BIN, EPOCH = LONGEST_GAP / 3, datetime(2000, 1, 1, tzinfo=UTC)


def findings(postmortem: Postmortem, text: str | None = None) -> list[Finding]:
    """What the linter says of the document, or of another `text` for it."""
    incident = postmortem.incident
    known = Known(
        follow_ups=tuple(fact(each) for each in incident.follow_ups.select_related("owner")),
        told=told(incident),
        started_at=incident.started_at,
        start_known=incident.start_known,
        resolved_at=incident.resolved_at,
    )
    return lint(postmortem.text if text is None else text, known)


def told(incident: Incident) -> list[datetime]:
    """When something was told: the first and the last time of each bin, within which no gap is asked about."""
    binned = Func(Value(BIN), "at", Value(EPOCH), function="date_bin", output_field=DateTimeField())
    bins = incident.timeline.order_by().values(bin=binned)
    edges = bins.annotate(first=Min("at"), last=Max("at")).values_list("first", "last")
    return [at for both in edges for at in both]


def fact(each: FollowUp) -> FollowUpFact:
    """A follow-up as the document and the linter see it."""
    owner = each.owner.get_username() if each.owner and each.owned else ""
    return FollowUpFact(title=each.title, kind=each.kind, owner=owner, due=each.due, state=each.state)


def loose(follow_ups: Iterable[FollowUp]) -> list[FollowUp]:
    """Open follow-ups that nobody owns who is still here, or that have no date."""
    return [each for each in follow_ups if each.state == FollowUp.State.OPEN and (not each.owned or not each.due)]


def waiting(postmortem: Postmortem) -> Review | None:
    """The review that waits for a second person."""
    return postmortem.reviews.filter(verdict=Review.Verdict.WAITING).select_related("requested_by", "author").first()


def approved(postmortem: Postmortem) -> Review | None:
    """The approval of the text as it stands."""
    good = postmortem.reviews.filter(version=postmortem.version, verdict=Review.Verdict.APPROVED)
    return good.select_related("reviewer").first()


@transaction.atomic
def ask(number: int, version: int, *, by: User, anyway: bool = False) -> Review:
    """Ask for a second person to read the current version; `anyway` although the linter says what it lacks."""
    incident, postmortem = _document(number, by, Verb.JOIN)
    _current(postmortem, version)
    if postmortem.state == Postmortem.State.REVIEW:
        raise Refused("A review is asked for already.")
    if postmortem.state == Postmortem.State.PUBLISHED:
        raise Refused(f"Version {version} is published: there is nothing to review before it is changed.")
    lacks = [finding for finding in findings(postmortem) if finding.stops]
    if lacks and not anyway:
        mend = "Finish it, or ask for the review anyway."
        raise Refused("Something is unfinished.", [Missing(sentence=finding.sentence, mend=mend) for finding in lacks])
    wrote = _author(postmortem, version) or by
    review = Review.objects.create(
        postmortem=postmortem, version=version, author=wrote, requested_by=by, requested_at=timezone.now()
    )
    _move(postmortem, Postmortem.State.REVIEW)
    append(incident, Kind.STATE, f"Review of post-mortem version {version} asked for", by=by)
    _record("postmortem.review_asked", incident, by, version=version)
    return review


def _author(postmortem: Postmortem, version: int) -> User | None:
    """Who wrote last in it; generating it again wrote nothing of one's own."""
    written = postmortem.versions.filter(version__lte=version).select_related("by")
    last = written.filter(generated=False).first() or written.first()
    return last.by if last else None


@transaction.atomic
def decide(number: int, comment: str, *, approve: bool, by: User) -> Review:
    """Approve the version that waits, or ask for changes; only somebody who neither wrote it nor asked."""
    incident, postmortem = _document(number, by, Verb.JOIN)
    review = waiting(postmortem)
    if review is None:
        raise Refused("No review is asked for.")
    if by in (review.author, review.requested_by):
        raise Refused("A second person reviews it: you wrote this version, or asked for its review.")
    if not approve and len(comment.strip()) < SHORTEST_REASON:
        raise Refused(f"Say in at least {SHORTEST_REASON} characters what is to be changed.")
    review.reviewer, review.decided_at, review.comment = by, timezone.now(), comment.strip()
    review.verdict = Review.Verdict.APPROVED if approve else Review.Verdict.CHANGES
    review.save()
    if not approve:
        _move(postmortem, Postmortem.State.DRAFT)
    said = "approved" if approve else "changes asked for"
    append(incident, Kind.STATE, f"Post-mortem version {review.version} reviewed: {said}", by=by)
    _record("postmortem.reviewed", incident, by, reason=review.comment, version=review.version, verdict=review.verdict)
    return review


def withdraw(postmortem: Postmortem) -> None:
    """The text changed: what waited for a second person, or was published, is a draft again."""
    postmortem.reviews.filter(verdict=Review.Verdict.WAITING).update(verdict=Review.Verdict.WITHDRAWN)
    postmortem.state = Postmortem.State.DRAFT


@transaction.atomic
def publish(number: int, version: int, factor: str, *, by: User) -> Postmortem:
    """Publish the approved version; every open follow-up has an owner and a date by then."""
    incident, postmortem = _document(number, by, Verb.JOIN)
    _current(postmortem, version)
    if postmortem.state == Postmortem.State.PUBLISHED and postmortem.factor == factor:
        return postmortem
    reasons = list(_unpublishable(incident, postmortem))
    if factor not in set(Factor):
        reasons.append(Missing(sentence="No contributing factor is chosen.", mend="Choose the one that mattered most."))
    if reasons:
        raise Refused("It cannot be published yet.", reasons)
    postmortem.factor, postmortem.published_version = factor, version
    postmortem.published_at = timezone.now()
    _move(postmortem, Postmortem.State.PUBLISHED)
    append(incident, Kind.STATE, f"Post-mortem version {version} published", by=by, starred=True)
    owed.changed(incident.environment)
    search.add_text(incident.pk, postmortem.text)
    _record("postmortem.published", incident, by, version=version, factor=factor)
    return postmortem


def _unpublishable(incident: Incident, postmortem: Postmortem) -> Iterable[Missing]:
    if incident.is_open:
        yield Missing(sentence="The incident is still open.", mend="Resolve it first.")
    if approved(postmortem) is None:
        yield Missing(
            sentence=f"Nobody else has approved version {postmortem.version}.", mend="Ask a second person to review it."
        )
    for each in loose(incident.follow_ups.select_related("owner")):
        yield Missing(
            sentence=f"“{each.title}” has no owner who is still here, or no date.",
            mend="Give it both under Follow-ups.",
        )


def _document(number: int, by: User, verb: Verb) -> tuple[Incident, Postmortem]:
    incident, _ = locked(number, by=by, verb=verb)
    postmortem = Postmortem.objects.filter(incident=incident).first()
    if postmortem is None:
        raise Refused("There is no post-mortem yet: generate it first.")
    return incident, postmortem


def _current(postmortem: Postmortem, version: int) -> None:
    if postmortem.version != version:
        raise Refused(f"Version {postmortem.version} was saved meanwhile: read that one first.")


def _move(postmortem: Postmortem, state: Postmortem.State) -> None:
    postmortem.state = state
    postmortem.save()


def _record(verb: str, incident: Incident, by: User, *, reason: str = "", **detail: object) -> None:
    chain.record(
        verb,
        by=by,
        subject=str(incident),
        environment=incident.environment,
        incident=incident.number,
        reason=reason,
        detail=detail,
    )
