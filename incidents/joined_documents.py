"""What people wrote in the post-mortem of an incident that became a part of another one: none of it is lost."""

from collections.abc import Iterator

from django.contrib.auth.models import User
from django.utils import timezone

from incidents import documents
from incidents.models import Draft, Incident, Postmortem
from incidents.postmortem.escape import inline
from incidents.postmortem.filled import answered
from incidents.postmortem.markers import MARKER, Kind, Part, parse


def join(source: Incident, target: Incident, *, by: User) -> None:
    """Add the words of people in `source`'s document to `target`'s; what is not saved yet is its author's draft."""
    theirs = Postmortem.objects.filter(incident=source).first()
    if theirs is None:
        return
    saved, typed = words(theirs.text), list(theirs.drafts.select_related("user"))
    if not saved and not typed:
        return
    postmortem = documents.ensure(target.number, by=by, base_url="")
    if saved:
        postmortem = documents.add(postmortem, _section(source, "What people wrote in", saved), by=by)
    for draft in typed:
        _carry(source, postmortem, draft)


def _carry(source: Incident, postmortem: Postmortem, draft: Draft) -> None:
    """Let what somebody typed and did not save come back to them in the other document's editor."""
    text = f"{postmortem.text.rstrip()}\n\n{_section(source, 'What you typed in', words(draft.text))}"
    values = {"text": text, "version": postmortem.version, "at": timezone.now()}
    Draft.objects.update_or_create(postmortem=postmortem, user=draft.user, tab=draft.tab, defaults=values)


def words(text: str) -> str:
    """What people wrote in a document: answered sections, edited parts and free text, without the markers."""
    return "\n\n".join(said for part in parse(text) if (said := _said(part)))


def _said(part: Part) -> str:
    if part.kind == Kind.FRONT or (part.kind == Kind.GENERATED and not part.edited):
        return ""
    if part.kind == Kind.HUMAN and not answered(part.raw):
        return ""
    return "\n".join(_lines(part.raw)).strip()


def _lines(raw: str) -> Iterator[str]:
    return (line for line in raw.split("\n") if not line.startswith(MARKER))


def _section(source: Incident, what: str, said: str) -> str:
    return f"## {what} the post-mortem of {source.name}: {inline(source.title)}\n\n{said}\n"
