"""Every decision about a post-mortem: generate, save against a version, generate again, export."""

from collections.abc import Iterator
from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from incidents import doorbell, drafts, reviews
from incidents.guard import Refused, locked
from incidents.models import POSTMORTEM_WITHIN, Incident, Postmortem, PostmortemVersion
from incidents.postmortem import export as files
from incidents.postmortem.document import write
from incidents.postmortem.gather import gather
from incidents.postmortem.markers import compose, merge
from incidents.postmortem.render import MAX_BYTES, normalised
from incidents.postmortem.slug import names
from incidents.timeline import Kind, append, publish
from novaops.access.policy import Verb
from novaops.audit import chain


class Conflict(Exception):
    """Somebody saved another version since this text was opened; nothing was saved."""

    def __init__(self, current: Postmortem) -> None:
        super().__init__(f"Version {current.version} was saved since you opened the text.")
        self.current = current


@transaction.atomic
def ensure(number: int, *, by: User | None, base_url: str) -> Postmortem:
    """The incident's post-mortem, generated where there is none yet."""
    there = Postmortem.objects.filter(incident__number=number).select_related("incident").first()
    if there:
        return there
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    there = Postmortem.objects.filter(incident=incident).first()
    if there:
        return there
    now = timezone.now()
    postmortem = Postmortem.objects.create(
        incident=incident,
        text=compose(write(gather(incident, base_url=base_url))),
        generated_at=now,
        due_at=(incident.resolved_at or now) + POSTMORTEM_WITHIN,
    )
    _keep(postmortem, by, generated=True)
    _record("postmortem.generated", postmortem, by)
    return postmortem


@transaction.atomic
def save(number: int, text: str, version: int, *, by: User, typed: bool = True, tab: str = "") -> Postmortem:
    """Save a text that was opened at `version`. Raises Conflict where another one was saved since.

    `typed`: it is what its author's draft of that `tab` became; a program's text leaves the drafts of its owner alone.
    """
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    postmortem = Postmortem.objects.get(incident=incident)
    text = normalised(text)
    if len(text.encode()) > MAX_BYTES:
        raise Refused(f"The text is longer than {MAX_BYTES // 1024} KB.")
    if typed and (text == postmortem.text or version == postmortem.version):
        drafts.drop(postmortem, by, tab)
    if text == postmortem.text:
        return postmortem
    if version != postmortem.version:
        raise Conflict(postmortem)
    _replace(postmortem, text, by, generated=False)
    _record("postmortem.saved", postmortem, by)
    return postmortem


@transaction.atomic
def add(postmortem: Postmortem, section: str, *, by: User) -> Postmortem:
    """Add a section of people's words at the end, as a version of its own."""
    _replace(postmortem, f"{postmortem.text.rstrip()}\n\n{section}", by, generated=False)
    _record("postmortem.saved", postmortem, by)
    return postmortem


@transaction.atomic
def regenerate(number: int, *, by: User | None, base_url: str) -> tuple[Postmortem, list[str]]:
    """Write the generated parts again from today's facts; names the parts that people edited, which stayed."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    postmortem = Postmortem.objects.get(incident=incident)
    text, kept = merge(postmortem.text, write(gather(incident, base_url=base_url)))
    postmortem.generated_at = timezone.now()
    _replace(postmortem, text, by, generated=True)
    _record("postmortem.generated", postmortem, by, kept=kept)
    return postmortem, kept


def untouched() -> QuerySet[Postmortem]:
    """The documents that nobody has written in yet."""
    fresh = Postmortem.objects.filter(state=Postmortem.State.DRAFT, drafts=None)
    return fresh.exclude(versions__generated=False)


@transaction.atomic
def export(number: int, *, by: User) -> Postmortem:
    """Write the current version into the environment's folder under `YYYY-MM-DD-<slug>.md`."""
    incident, place = locked(number, by=by, verb=Verb.JOIN)
    postmortem = Postmortem.objects.get(incident=incident)
    folder = place.postmortems.folder
    try:
        name = files.write(
            files.directory(settings.POSTMORTEM_ROOT, folder),
            file_names(incident, postmortem, folder),
            postmortem.text,
            ours=lambda name, text: _ours(incident, folder, name, text),
        )
    except files.OutsideFolder as failure:
        raise Refused(f"Nothing was written: {failure}") from failure
    except OSError as failure:
        raise Refused(f"Nothing was written to {folder}: {failure.strerror or failure}.") from failure
    postmortem.folder, postmortem.file_name = folder, name
    postmortem.exported_at, postmortem.exported_version = timezone.now(), postmortem.version
    # The repository is a real one: a rehearsal stays a file.
    if place.postmortems.repository and not incident.is_drill:
        postmortem.commit_state, postmortem.commit_version = Postmortem.Commit.WAITING, postmortem.version
        postmortem.commit_sentence = ""
        transaction.on_commit(partial(doorbell.ring, postmortem.pk))
    postmortem.save()
    text = f"Post-mortem version {postmortem.version} exported to {postmortem.path}"
    append(incident, Kind.STEP, text, by=by, data={"postmortem": postmortem.version})
    _record("postmortem.exported", postmortem, by, path=postmortem.path)
    return postmortem


def file_names(incident: Incident, postmortem: Postmortem, folder: str) -> Iterator[str]:
    """The name it has already, so that a changed title makes no second file; else new ones."""
    if postmortem.file_name and postmortem.folder == folder:
        yield postmortem.file_name
    yield from names(incident.started_at.date(), incident.title)


def _ours(incident: Incident, folder: str, name: str, text: str) -> bool:
    """Whether the file there is this incident's: it carries its uid, and no other post-mortem was exported to it."""
    others = Postmortem.objects.filter(folder=folder, file_name=name).exclude(incident=incident)
    return is_of(incident, text) and not others.exists()


def is_of(incident: Incident, text: str) -> bool:
    """Whether the front matter of a text names this incident."""
    return f'\nuid: "{incident.uid}"\n' in text.partition("\n---\n")[0]


def _replace(postmortem: Postmortem, text: str, by: User | None, *, generated: bool) -> None:
    postmortem.text = text
    postmortem.version += 1
    reviews.withdraw(postmortem)
    postmortem.save()
    _keep(postmortem, by, generated=generated)


def _keep(postmortem: Postmortem, by: User | None, *, generated: bool) -> None:
    PostmortemVersion.objects.create(
        postmortem=postmortem,
        version=postmortem.version,
        text=postmortem.text,
        at=timezone.now(),
        by=by,
        generated=generated,
    )
    publish(postmortem.incident)


def _record(verb: str, postmortem: Postmortem, by: User | None, **detail: object) -> None:
    incident = postmortem.incident
    chain.record(
        verb,
        by=by,
        subject=str(incident),
        environment=incident.environment,
        incident=incident.number,
        detail={"version": postmortem.version, **detail},
    )
