"""What people type before they save it: kept by itself for each of them, so that a closed tab loses nothing."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from incidents.guard import Refused, locked
from incidents.models import Draft, Postmortem
from incidents.postmortem.render import MAX_BYTES, normalised
from novaops.access.policy import Verb


@transaction.atomic
def keep(number: int, text: str, version: int, *, by: User) -> Postmortem:
    """Keep a text that was opened at `version` for its author; the caller tells whether a newer one was saved since.

    It is nobody else's to see and changes nothing, so that it is no entry of the audit chain; saving is.
    """
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    postmortem = Postmortem.objects.get(incident=incident)
    text = normalised(text)
    if len(text.encode()) > MAX_BYTES:
        raise Refused(f"The text is longer than {MAX_BYTES // 1024} KB.")
    if text == postmortem.text:
        drop(postmortem, by)
        return postmortem
    values = {"text": text, "version": version, "at": timezone.now()}
    Draft.objects.update_or_create(postmortem=postmortem, user=by, defaults=values)
    return postmortem


@transaction.atomic
def discard(number: int, *, by: User) -> None:
    """Forget what somebody typed and did not save."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    Draft.objects.filter(postmortem__incident=incident, user=by).delete()


def drop(postmortem: Postmortem, by: User) -> None:
    Draft.objects.filter(postmortem=postmortem, user=by).delete()


def of(postmortem: Postmortem, by: User) -> Draft | None:
    """What this person typed and did not save."""
    return Draft.objects.filter(postmortem=postmortem, user=by).first()
