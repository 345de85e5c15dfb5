"""What people type before they save it: kept by itself for each of their tabs, so that a closed one loses nothing."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from incidents.guard import Refused, locked
from incidents.models import Draft, Postmortem
from incidents.postmortem.render import MAX_BYTES, normalised
from novaops.access.policy import Verb


@transaction.atomic
def keep(number: int, text: str, version: int, *, by: User, tab: str = "") -> Postmortem:
    """Keep a text that was opened at `version` for its author; the caller tells whether a newer one was saved since.

    `tab` names the editor's page that it was typed in.

    It is nobody else's to see and changes nothing, so that it is no entry of the audit chain; saving is.
    """
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    postmortem = Postmortem.objects.get(incident=incident)
    text = normalised(text)
    if len(text.encode()) > MAX_BYTES:
        raise Refused(f"The text is longer than {MAX_BYTES // 1024} KB.")
    if text == postmortem.text:
        drop(postmortem, by, tab)
        return postmortem
    values = {"text": text, "version": version, "at": timezone.now()}
    Draft.objects.update_or_create(postmortem=postmortem, user=by, tab=tab, defaults=values)
    return postmortem


@transaction.atomic
def discard(number: int, *, by: User) -> None:
    """Forget what somebody typed and did not save, in every tab."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    Draft.objects.filter(postmortem__incident=incident, user=by).delete()


def drop(postmortem: Postmortem, by: User, tab: str) -> None:
    """Forget what was typed in one tab: it is saved, or it is the saved text again."""
    Draft.objects.filter(postmortem=postmortem, user=by, tab=tab).delete()


def of(postmortem: Postmortem, by: User) -> Draft | None:
    """What this person typed last and did not save."""
    return Draft.objects.filter(postmortem=postmortem, user=by).first()


@transaction.atomic
def take_up(postmortem: Postmortem, by: User, tab: str, chosen: int | None) -> tuple[Draft | None, list[Draft]]:
    """Go on in a new tab with the chosen unsaved text, or the newest; and the others, which stay as they are."""
    found = list(Draft.objects.select_for_update().filter(postmortem=postmortem, user=by))
    if not found:
        return None, []
    draft = next((one for one in found if one.pk == chosen), found[0])
    draft.tab = tab
    draft.save(update_fields=["tab"])
    return draft, [one for one in found if one != draft]
