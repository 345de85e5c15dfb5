"""One section of a post-mortem, written by itself: what others wrote meanwhile in the other ones stays."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from incidents import documents
from incidents.guard import Refused, locked
from incidents.models import Postmortem
from incidents.postmortem.markers import BLOCK, MARKER, Kind, parse
from incidents.postmortem.render import normalised
from novaops.access.policy import Verb

WRITABLE = (Kind.GENERATED, Kind.HUMAN)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A generated or human section. `raw` is its exact text with its markers, `body` what stands between them."""

    key: str
    kind: Kind
    edited: bool
    raw: str
    body: str


def of(text: str) -> list[Section]:
    """The document's sections, in their order."""
    found = []
    for part in parse(text):
        match = BLOCK.match(part.raw) if part.kind in WRITABLE else None
        if match:
            body = match["body"].strip("\n")
            found.append(Section(key=part.key, kind=part.kind, edited=part.edited, raw=part.raw, body=body))
    return found


@transaction.atomic
def write(number: int, key: str, body: str, version: int, *, by: User) -> Postmortem:
    """Save one section that was read at `version`. Raises documents.Conflict where another one changed it since."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    postmortem = Postmortem.objects.get(incident=incident)
    body = normalised(body).strip("\n")
    if any(line.startswith(MARKER) for line in body.split("\n")):
        raise Refused(f"A line of a section must not begin with {MARKER!r}.")
    there = _only(postmortem.text, key)
    if there.body == body:
        return postmortem
    if version != postmortem.version and not _same_at(postmortem, version, there):
        raise documents.Conflict(postmortem)
    head, _, tail = postmortem.text.partition(there.raw)
    opening, _, rest = there.raw.partition("\n")
    closing = rest[rest.rindex(MARKER) :]
    text = f"{head}{opening}\n\n{body}\n\n{closing}{tail}"
    return documents.save(number, text, postmortem.version, by=by, typed=False)


def _only(text: str, key: str) -> Section:
    found = [section for section in of(text) if section.key == key]
    if not found:
        raise Refused(f"The document has no section {key!r}.")
    if len(found) > 1:
        raise Refused(f"The document has several sections {key!r}: save its whole text.")
    return found[0]


def _same_at(postmortem: Postmortem, version: int, there: Section) -> bool:
    """Whether nobody has changed the section since that version."""
    base = postmortem.versions.filter(version=version).values_list("text", flat=True).first()
    if base is None:
        return False
    return [section.body for section in of(base) if section.key == there.key] == [there.body]
