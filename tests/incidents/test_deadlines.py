"""Documents are generated and reminded of in time, each reminder once; an export becomes one commit."""

import subprocess
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import checklist, commits, deadlines, documents, owed, tasks
from incidents import incident as decide
from incidents.guard import Refused
from incidents.models import FollowUp, Incident, Postmortem, TimelineEntry
from novaops import environment as environments
from novaops.audit.models import Entry
from novaops.outbox.models import Message

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def resolved(worked: Incident, commander: User) -> Incident:
    return checklist.complete(worked.number, "resolve", by=commander)


@pytest.fixture
def document(resolved: Incident, commander: User) -> Postmortem:
    return documents.ensure(resolved.number, by=commander, base_url="")


def told() -> list[str]:
    return list(TimelineEntry.objects.filter(text__startswith="The post-mortem").values_list("text", flat=True))


def test_a_resolved_incident_gets_its_document_by_itself_once(resolved: Incident) -> None:
    for _ in range(2):
        deadlines.generate()
    document = Postmortem.objects.get()
    assert document.due_at == resolved.resolved_at + timedelta(hours=48)  # type: ignore[operator]
    assert Entry.objects.filter(verb="postmortem.generated", actor="system").count() == 1


def test_an_untouched_document_is_written_again_once_the_last_values_are_in(document: Postmortem) -> None:
    deadlines.settle(timezone.now())
    assert Postmortem.objects.get().version == 1
    Incident.objects.update(resolved_at=NOW - timedelta(minutes=20))
    Postmortem.objects.update(generated_at=NOW - timedelta(minutes=20))
    for _ in range(2):
        deadlines.settle(timezone.now())
    assert Postmortem.objects.get().version == 2


def test_a_document_with_words_of_people_is_not_written_again(document: Postmortem, commander: User) -> None:
    documents.save(document.incident.number, "My words.", document.version, by=commander)
    deadlines.settle(NOW + timedelta(hours=3))
    assert Postmortem.objects.get().text == "My words."


def test_an_open_incident_gets_none(worked: Incident) -> None:
    deadlines.generate()
    assert not Postmortem.objects.exists()


@pytest.mark.parametrize(
    ("left", "words"),
    [(25, []), (23, ["is due in 24 hours"]), (3, ["is due in 4 hours"]), (-1, ["is overdue"])],
)
def test_it_is_reminded_of_once_at_each_stage(document: Postmortem, left: int, words: list[str]) -> None:
    Postmortem.objects.update(due_at=NOW + timedelta(hours=left))
    for _ in range(2):
        deadlines.remind(NOW)
    assert [text.partition(":")[0] for text in told()] == [f"The post-mortem {word}" for word in words]


def test_every_stage_comes_in_its_time(document: Postmortem) -> None:
    for before in (24, 4, 0, -48):
        deadlines.remind(document.due_at - timedelta(hours=before))
    assert len(told()) == 3
    assert Message.objects.filter(subject__contains="post-mortem").count() == 3 * bool(environments.default().slack)


def test_nobody_is_reminded_of_what_is_published_waived_or_rehearsed(document: Postmortem, commander: User) -> None:
    late = document.due_at + timedelta(hours=1)
    Incident.objects.update(is_drill=True)
    deadlines.remind(late)
    Incident.objects.update(is_drill=False, severity="SEV4")
    Postmortem.objects.update(state="published")
    deadlines.remind(late)
    Postmortem.objects.update(state="draft")
    checklist.skip(document.incident.number, "postmortem", "Nobody noticed it", by=commander)
    deadlines.remind(late)
    assert told() == []


def test_more_documents_than_fit_into_a_round_keep_none_from_its_reminder(document: Postmortem) -> None:
    Postmortem.objects.update(due_at=NOW + timedelta(hours=20), reminded=1)
    late = Incident.objects.get()
    for number in range(2, 2 + deadlines.AT_A_TIME):
        late.pk, late.number, late.uid, late.dedup_key = None, number, uuid.uuid4(), ""
        late.save(force_insert=True)
        Postmortem.objects.create(
            incident=late, text="x", generated_at=NOW, due_at=NOW + timedelta(hours=21), reminded=int(number != 21)
        )
    deadlines.remind(NOW)
    assert told() == [f"The post-mortem is due in 24 hours: {NOW + timedelta(hours=21):%Y-%m-%d %H:%M} UTC"]


def test_the_clock_of_a_document_begins_with_the_last_resolution(
    document: Postmortem, commander: User, clear: Callable[..., None]
) -> None:
    number = document.incident.number
    deadlines.remind(document.due_at)
    checklist.reopen(number, "It came back at once", by=commander)
    Postmortem.objects.update(due_at=NOW - timedelta(days=1))
    deadlines.remind(NOW)
    assert len(told()) == 1
    again = checklist.override(number, "resolve", "It is over for good", by=commander)
    fresh = Postmortem.objects.get()
    assert again.resolved_at
    assert (fresh.due_at, fresh.reminded) == (again.resolved_at + timedelta(hours=48), 0)
    deadlines.remind(fresh.due_at)
    assert len(told()) == 2
    assert Message.objects.filter(subject__contains="post-mortem").count() == 2


def test_a_clock_that_jumps_back_and_forth_reminds_once(document: Postmortem) -> None:
    for hours in (-3, -30, -3, -50, 1, -1, 1):
        deadlines.remind(document.due_at + timedelta(hours=hours))
    assert [text.partition(":")[0] for text in told()] == [
        "The post-mortem is due in 4 hours",
        "The post-mortem is overdue",
    ]


def test_what_was_published_once_is_owed_no_more_until_it_is_reopened(document: Postmortem, commander: User) -> None:
    number = document.incident.number
    Postmortem.objects.update(state="published", published_at=NOW, published_version=1)
    documents.save(number, "A better text", document.version, by=commander)
    edited = Postmortem.objects.get()
    assert (edited.state, edited.overdue, list(owed.documents())) == ("draft", False, [])
    Postmortem.objects.update(state="published")
    checklist.reopen(number, "It came back at once", by=commander)
    assert Postmortem.objects.get().state == "draft"
    checklist.override(number, "resolve", "It is over for good", by=commander)
    assert list(owed.documents()) == [edited]


def test_a_late_follow_up_is_told_of_once_for_each_date(document: Postmortem, commander: User) -> None:
    day = NOW.date()
    decide.add_follow_up(
        document.incident.number, FollowUp(title="Scale earlier", kind="prevent", due=day), by=commander
    )
    for later in (0, 1, 2):
        deadlines.remind_of_follow_ups(NOW + timedelta(days=later))
    FollowUp.objects.update(due=day + timedelta(days=3))
    for later in (3, 4, 5):
        deadlines.remind_of_follow_ups(NOW + timedelta(days=later))
    assert TimelineEntry.objects.filter(text__startswith="Follow-up overdue").count() == 2


def test_the_overview_and_the_library_show_what_is_owed(
    document: Postmortem, client_of: Callable[[User], Client], commander: User
) -> None:
    Postmortem.objects.update(due_at=NOW - timedelta(hours=1))
    client = client_of(commander)
    for address in ("/", reverse("learning:library")):
        page = client.get(address).content.decode()
        assert "Overdue" in page, address
        assert reverse("incidents:postmortem", args=[document.incident.number]) in page


@pytest.fixture
def repository(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "repository.git"
    subprocess.run(["git", "init", "-q", "--bare", str(place)], check=True)
    settings.POSTMORTEM_ROOT = tmp_path / "files"  # type: ignore[attr-defined]
    (tmp_path / "files").mkdir()
    found = environments.default()
    paper = found.postmortems.model_copy(update={"repository": str(place)})
    changed = found.model_copy(update={"postmortems": paper})
    monkeypatch.setattr(environments, "environments", lambda: {found.name: changed})
    return place


def shown(place: Path, path: str) -> str:
    done = subprocess.run(
        ["git", "show", f"post-mortems:{path}"], cwd=place, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_an_export_becomes_one_commit(document: Postmortem, repository: Path, commander: User) -> None:
    exported = documents.export(document.incident.number, by=commander)
    assert exported.commit_state == "waiting"
    for _ in range(2):
        for pk in commits.waiting():
            tasks.commit_postmortem(pk)
    done = Postmortem.objects.get()
    assert (done.commit_state, done.commit_path, len(done.commit_sha)) == ("done", exported.path, 40)
    assert shown(repository, exported.path) == document.text
    assert Entry.objects.filter(verb="postmortem.committed").count() == 1


def test_a_repository_that_cannot_be_written_says_so_on_the_page(
    document: Postmortem, repository: Path, commander: User, client_of: Callable[[User], Client]
) -> None:
    documents.export(document.incident.number, by=commander)
    (repository / "HEAD").unlink()
    commits.carry_out(document.pk)
    failed = Postmortem.objects.get()
    assert failed.commit_state == "failed"
    page = client_of(commander).get(reverse("incidents:postmortem", args=[document.incident.number]))
    assert failed.commit_sentence in page.content.decode()


def test_a_remote_that_is_not_reached_is_tried_again_and_said_so(
    document: Postmortem,
    repository: Path,
    commander: User,
    client_of: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = environments.default()
    paper = found.postmortems.model_copy(update={"repository": "https://127.0.0.1:1/x.git"})
    away = found.model_copy(update={"postmortems": paper})
    monkeypatch.setattr(environments, "environments", lambda: {found.name: away})
    documents.export(document.incident.number, by=commander)
    commits.carry_out(document.pk)
    waiting = Postmortem.objects.get()
    assert (waiting.commit_state, commits.waiting()) == ("waiting", [document.pk])
    page = client_of(commander).get(reverse("incidents:postmortem", args=[document.incident.number]))
    assert "is tried again every minute: git ls-remote" in page.content.decode()


def test_a_rehearsal_is_never_committed(document: Postmortem, repository: Path, commander: User) -> None:
    Incident.objects.update(is_drill=True)
    assert documents.export(document.incident.number, by=commander).commit_state == ""


def test_a_folder_that_cannot_be_written_says_so_and_changes_nothing(
    document: Postmortem, repository: Path, commander: User, settings: object
) -> None:
    (repository / "docs").write_text("a file")
    settings.POSTMORTEM_ROOT = repository  # type: ignore[attr-defined]
    with pytest.raises(Refused, match=r"Nothing was written to docs/ops/post-mortems: (File exists|Not a directory)"):
        documents.export(document.incident.number, by=commander)
    assert Postmortem.objects.get().exported_at is None
