"""Documents are generated and reminded of in time, each reminder once; an export becomes one commit."""

import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import checklist, commits, deadlines, documents, tasks
from incidents import incident as decide
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
