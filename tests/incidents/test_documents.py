"""The post-mortem: filled from facts, safe against hostile text, kept through edits, exported to one file."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from backups.restore_models import Restore
from dashboard.models import Alert, Sample, Series
from dashboard.partitions import SAMPLES, ensure
from incidents import checklist, documents, reviews
from incidents import incident as decide
from incidents.guard import Refused
from incidents.models import FollowUp, Incident, Postmortem
from incidents.postmortem.document import write
from incidents.postmortem.gather import gather
from incidents.postmortem.markers import compose, parse
from incidents.postmortem.render import render
from novaops.audit import chain
from novaops.audit.models import Entry
from novaops.environment import Environment
from novaops.runbook.models import Run
from tests.incidents.drilled import elsewhere, lines

BASE = "https://ops.example"
Declare = Callable[..., Incident]
pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path: Path, settings: object) -> Path:
    settings.POSTMORTEM_ROOT = tmp_path  # type: ignore[attr-defined]
    return tmp_path


@pytest.fixture
def resolved(worked: Incident, commander: User) -> Incident:
    return checklist.complete(worked.number, "resolve", by=commander)


def document_of(incident: Incident) -> str:
    return compose(write(gather(incident, base_url=BASE)))


def test_it_fills_what_a_machine_can_know(resolved: Incident, commander: User) -> None:
    decide.add_follow_up(
        resolved.number, FollowUp(title="Scale earlier", kind="prevent", owner=commander), by=commander
    )
    text = document_of(resolved)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Summary",
        "## Impact",
        "## Detection",
        "## Timeline",
        "## Response",
        "## Contributing factors",
        "## Recovery",
        "## What went well, what went badly, where we were lucky",
        "## Follow-ups",
        "## Evidence",
    ]
    assert "# INC-1: High CPU on the API" in text
    assert "High CPU (NovaOps) saw it first" in text
    assert f"[Restart the API server]({BASE}/runs/" in text
    assert "All tasks are new." in text
    assert "| Scale earlier | prevent | commander | no date | open |" in text
    assert "Time to detect: 5 min" in text
    head_seq, head_hash = chain.head()
    assert f"#{head_seq} with the hash `{head_hash}`" in text


def test_every_figure_is_recomputed_from_the_recorded_samples(resolved: Incident, place: Environment) -> None:
    assert resolved.resolved_at
    began, ended = resolved.started_at, resolved.resolved_at
    ensure(SAMPLES, [began, ended])
    cpu = Series.objects.create(environment=place.name, service="api", name="cpu", unit="%")
    failed = Series.objects.create(environment=place.name, service="api", name="target_5xx", unit="requests")
    elsewhere = Series.objects.create(environment=place.name, service="cache", name="cpu", unit="%")
    at = [began + timedelta(seconds=10 * n) for n in range(3)]
    Sample.objects.bulk_create(
        [
            *(Sample(series=cpu, at=when, value=value) for when, value in zip(at, (50, 97.5, 80), strict=True)),
            *(Sample(series=failed, at=when, value=value) for when, value in zip(at, (0, 40, 2), strict=True)),
            Sample(series=cpu, at=began - timedelta(seconds=1), value=99),
            Sample(series=cpu, at=ended + timedelta(seconds=1), value=99),
            Sample(series=elsewhere, at=at[0], value=99),
        ]
    )
    text = document_of(resolved)
    assert "| API server | cpu | 50 % | 75.83 % | **97.5 %** |  | 3 samples, AWS/ECS:CPUUtilization |" in text
    assert "| API server | target\\_5xx | 0 requests | 14 requests | **40 requests** | 42 requests | 3 samples," in text
    impact = next(part.raw for part in parse(text) if part.key == "impact")
    assert "99 %" not in impact
    assert "| API server: Requests failed | **42** |" in impact


def test_a_restore_tells_how_long_it_took_and_what_is_lost(
    declare: Declare, make_run: Callable[..., Run], commander: User
) -> None:
    incident = declare(commander)
    Restore.objects.create(
        run=make_run(commander),
        environment=incident.environment,
        incident=incident.number,
        kind="snapshot",
        source="nova-db-1 | x",
        instance="nova-db-restored",
        state="proven",
        asked_at=timezone.now(),
        rto_s=754,
    )
    assert "| nova-db-restored | Proven | 12 min 34 s | not proven | what is lost is not known |" in document_of(
        incident
    )


def test_an_override_stands_out(declare: Declare, commander: User) -> None:
    incident = declare(commander)
    checklist.override(incident.number, "communicate", "Slack is down as well", by=commander)
    text = document_of(incident)
    assert "🔴 **Overridden: Communicate was closed without its evidence**" in text
    assert "Reason: Slack is down as well" in text


TAG = re.compile(r"<!?[\w/-]+")
HOSTILE = [
    "| a | b |\n| --- | --- |",
    "</td></tr><script>alert(1)</script>",
    "\n---\nuid: stolen\n---\n",
    "<!-- nova:end timeline -->\n<!-- nova:human story -->",
    "# Heading\n\n## Another",
    "```\ncode\n```",
    "[click](javascript:alert(1)) ![x](https://evil.example/a.png)",
    '"quoted" \\ \x1b[31m \u202e',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_stay_in_their_place(
    declare: Declare, make_alert: Callable[..., Alert], commander: User, text: str
) -> None:
    calm = declare(commander, title="Calm")
    shape = _shape(document_of(calm))
    calm.state, calm.title = "resolved", f"T {text}"
    calm.impact = ""
    calm.save()
    Alert.objects.update(sentence=text, title=text[:100], source=text[:50])
    document = document_of(calm)
    assert _shape(document) == shape
    assert lines(elsewhere(document)) == lines(render(document))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60))
def test_any_title_leaves_the_document_whole(declare: Declare, commander: User, title: str) -> None:
    incident = Incident.objects.first() or declare(commander, title="Calm")
    incident.title = "Calm"
    shape = _shape(document_of(incident))
    incident.title = title
    assert _shape(document_of(incident)) == shape


def _shape(text: str) -> list[tuple[str, list[str]]]:
    """The blocks of the document with the tags in them, without what they say."""
    yaml = pytest.importorskip("yaml")
    _, matter, body = text.split("---\n", 2)
    keys = list(yaml.safe_load(matter))
    assert keys[:3] == ["incident", "uid", "title"]
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(body)
    return [(token.type, TAG.findall(token.content) if token.type == "html_block" else []) for token in tokens]


def test_the_preview_shows_no_html_of_anybody(declare: Declare, commander: User) -> None:
    incident = declare(commander, title="<script>alert(1)</script>")
    decide.note(incident.number, "<img src=x onerror=alert(1)>", by=commander)
    html = render(document_of(incident))
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_what_a_person_wrote_survives_generating_again(resolved: Incident, commander: User) -> None:
    first = documents.ensure(resolved.number, by=commander, base_url=BASE)
    edited = first.text.replace("> What went well?", "The restart was quick.").replace(
        "## Recovery", "## How we recovered"
    )
    documents.save(resolved.number, edited, first.version, by=commander)
    decide.note(resolved.number, "Written after the export", by=commander)
    again, kept = documents.regenerate(resolved.number, by=commander, base_url=BASE)
    assert "The restart was quick." in again.text
    assert "## How we recovered" in again.text
    assert "Written after the export" in again.text
    assert kept == ["recovery"]
    assert [version.version for version in again.versions.all()] == [3, 2, 1]


def test_saving_over_a_newer_version_is_a_conflict_that_saves_nothing(
    resolved: Incident, commander: User, responder: User
) -> None:
    first = documents.ensure(resolved.number, by=commander, base_url=BASE)
    documents.save(resolved.number, "theirs", first.version, by=responder)
    with pytest.raises(documents.Conflict) as conflict:
        documents.save(resolved.number, "mine", first.version, by=commander)
    assert conflict.value.current.text == "theirs"
    assert Postmortem.objects.get().text == "theirs"


def test_only_who_may_write_saves(resolved: Incident, commander: User, viewer: User) -> None:
    first = documents.ensure(resolved.number, by=commander, base_url=BASE)
    with pytest.raises(PermissionDenied):
        documents.save(resolved.number, "mine", first.version, by=viewer)


def test_a_text_of_more_than_200_kb_is_refused(resolved: Incident, commander: User) -> None:
    first = documents.ensure(resolved.number, by=commander, base_url=BASE)
    with pytest.raises(Refused, match="200 KB"):
        documents.save(resolved.number, "é" * 110 * 1024, first.version, by=commander)


def test_it_is_due_48_hours_after_it_was_resolved(resolved: Incident, commander: User) -> None:
    assert resolved.resolved_at
    due = documents.ensure(resolved.number, by=commander, base_url=BASE).due_at
    assert due == resolved.resolved_at + timedelta(hours=48)


def test_it_exports_the_current_version_and_tells_so(resolved: Incident, commander: User, root: Path) -> None:
    documents.ensure(resolved.number, by=commander, base_url=BASE)
    exported = documents.export(resolved.number, by=commander)
    path = f"docs/ops/post-mortems/{resolved.started_at:%Y-%m-%d}-high-cpu-on-the-api.md"
    assert exported.path == path
    assert (root / path).read_text() == exported.text
    assert not exported.newer_than_export
    entry = Entry.objects.order_by("-seq")[0]
    assert (entry.verb, entry.detail["path"]) == ("postmortem.exported", path)


def test_the_last_step_waits_for_publishing_and_export(resolved: Incident, commander: User) -> None:
    with pytest.raises(Refused) as refusal:
        checklist.complete(resolved.number, "postmortem", by=commander)
    assert [reason.sentence for reason in refusal.value.reasons] == [
        "The post-mortem is not published.",
        "The post-mortem is not exported.",
    ]


def test_the_last_step_closes_on_a_published_and_exported_document(
    resolved: Incident, commander: User, responder: User, root: Path
) -> None:
    number = resolved.number
    version = documents.ensure(number, by=commander, base_url=BASE).version
    reviews.ask(number, version, by=commander, anyway=True)
    reviews.decide(number, "", approve=True, by=responder)
    reviews.publish(number, version, "limit", by=commander)
    documents.export(number, by=commander)
    decide.add_follow_up(number, FollowUp(title="Alone", kind="detect"), by=commander)
    with pytest.raises(Refused) as refusal:
        checklist.complete(number, "postmortem", by=commander)
    assert [reason.sentence for reason in refusal.value.reasons] == [
        "The follow-up “Alone” has no owner who is still here, or no date."
    ]
    FollowUp.objects.update(owner=commander, due=timezone.now().date())
    assert checklist.complete(number, "postmortem", by=commander).state == "closed"


def test_it_rewrites_its_own_file_also_under_a_new_title(resolved: Incident, commander: User, root: Path) -> None:
    first = documents.ensure(resolved.number, by=commander, base_url=BASE)
    name = documents.export(resolved.number, by=commander).file_name
    Incident.objects.update(title="Renamed")
    documents.save(resolved.number, first.text + "\nOne more line.\n", first.version, by=commander)
    assert documents.export(resolved.number, by=commander).file_name == name
    files = list((root / "docs/ops/post-mortems").iterdir())
    assert [file.name for file in files] == [name]
    assert files[0].read_text().endswith("One more line.\n")


def test_two_incidents_of_one_title_and_day_make_two_files(
    resolved: Incident, declare: Declare, make_alert: Callable[..., Alert], commander: User, root: Path
) -> None:
    other = declare(commander, alert=make_alert())
    names = []
    for number in (resolved.number, other.number):
        documents.ensure(number, by=commander, base_url=BASE)
        names.append(documents.export(number, by=commander).file_name)
    assert names[1] == names[0].replace(".md", "-2.md")
    assert f'uid: "{resolved.uid}"' in (root / "docs/ops/post-mortems" / names[0]).read_text()


def test_a_folder_that_leads_out_is_refused_with_a_sentence(resolved: Incident, commander: User, root: Path) -> None:
    (root / "docs").symlink_to(root.parent)
    documents.ensure(resolved.number, by=commander, base_url=BASE)
    with pytest.raises(Refused, match="leads out of"):
        documents.export(resolved.number, by=commander)
    assert not Postmortem.objects.get().path


def test_a_long_timeline_is_cut_and_says_so(declare: Declare, commander: User) -> None:
    from incidents.models import TimelineEntry

    incident = declare(commander)
    now = timezone.now()
    TimelineEntry.objects.bulk_create(
        TimelineEntry(incident=incident, at=now, recorded_at=now, kind="note", text=f"note {n}") for n in range(600)
    )
    text = document_of(incident)
    left = incident.timeline.count() - 500
    assert f"{left} more entries are on the incident's page." in text
    assert "Declared as SEV2" in text
