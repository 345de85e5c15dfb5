"""The pages: what they show to whom, what they refuse, and what they cost."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dashboard.models import Alert
from dashboard.overview import incident_of
from incidents import checklist
from incidents import incident as decide
from incidents.models import FollowUp, Incident, Postmortem, TimelineEntry
from novaops.environment import Environment
from novaops.runbook.models import Plan, Run, Undo

Declare = Callable[..., Incident]
SignIn = Callable[[User], Client]
pytestmark = pytest.mark.django_db


def url(name: str, *args: object) -> str:
    return reverse(f"incidents:{name}", args=args)


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


@pytest.fixture
def root(tmp_path: Path, settings: object) -> Path:
    settings.POSTMORTEM_ROOT = tmp_path  # type: ignore[attr-defined]
    return tmp_path


def test_an_empty_list_says_so_and_offers_to_declare(place: Environment, client_of: SignIn, responder: User) -> None:
    page = text(client_of(responder).get(url("list")))
    assert "No incident was ever declared here." in page
    assert url("new") in page


def test_the_list_filters_by_what_the_address_says(declare: Declare, client_of: SignIn, responder: User) -> None:
    declare(responder, title="Unicorns escaped")
    client = client_of(responder)
    assert "Unicorns escaped" in text(client.get(url("list"), {"state": "open", "severity": "SEV2", "q": "unicorn"}))
    assert "No incident matches these filters." in text(client.get(url("list"), {"state": "closed"}))


def test_a_viewer_sees_the_room_and_why_nothing_can_be_done(
    declare: Declare, client_of: SignIn, responder: User, viewer: User
) -> None:
    incident = declare(responder)
    response = client_of(viewer).get(incident.get_absolute_url())
    assert response.status_code == 200
    assert "Your role may not write in incidents: ask a responder or commander." in text(response)


POSTS = ["compose", "join", "report", "affected", "message", "no_action", "postmortem_export"]


@pytest.mark.parametrize("name", [*POSTS, "follow_ups", "command", "severity", "reopen"])
def test_a_viewer_may_not_write(declare: Declare, client_of: SignIn, responder: User, viewer: User, name: str) -> None:
    incident = declare(responder)
    before = TimelineEntry.objects.count()
    assert client_of(viewer).post(url(name, incident.number), {"title": "x", "kind": "prevent"}).status_code == 403
    assert TimelineEntry.objects.count() == before


@pytest.mark.parametrize("name", [*POSTS, "command", "severity", "reopen"])
def test_deciding_needs_a_post(declare: Declare, client_of: SignIn, commander: User, name: str) -> None:
    assert client_of(commander).get(url(name, declare(commander).number)).status_code == 405


@pytest.mark.parametrize("name", ["room", "postmortem", "postmortem_edit"])
def test_an_unknown_incident_is_not_found(place: Environment, client_of: SignIn, commander: User, name: str) -> None:
    assert client_of(commander).get(url(name, 99)).status_code == 404


def test_declaring_starts_from_the_firing_alert(
    place: Environment, make_alert: Callable[..., Alert], client_of: SignIn, responder: User
) -> None:
    alert = make_alert()
    client = client_of(responder)
    form = client.get(url("new")).context["form"]
    assert form.initial["alert"] == alert.pk
    response = client.post(url("new"), {**form.initial, "report": "", "started_at": ""})
    incident = Incident.objects.get()
    assert response["Location"] == incident.get_absolute_url()
    assert (incident.title, incident.severity, incident.services) == ("High CPU", "SEV2", ["api"])


def test_the_room_suggests_first_what_the_firing_rule_ranks_first(
    declare: Declare, client_of: SignIn, commander: User
) -> None:
    incident = declare(commander)
    offered = [
        offer.action_key for offer in client_of(commander).get(incident.get_absolute_url()).context["room"].offers
    ]
    assert offered[:2] == ["scale-api", "restart-api"]
    assert len(offered) == len(set(offered)) > 2


def test_a_form_that_is_not_complete_keeps_what_was_typed(
    place: Environment, client_of: SignIn, responder: User
) -> None:
    typed = {"environment": place.name, "title": "Something is odd", "impact": "Half of the merchants"}
    page = text(client_of(responder).post(url("new"), typed))
    assert "Something is odd" in page
    assert "Half of the merchants" in page
    assert not Incident.objects.exists()


def test_a_covered_cause_is_offered_instead(declare: Declare, client_of: SignIn, responder: User) -> None:
    first = declare(responder)
    typed = {
        "environment": first.environment,
        "title": "Also slow",
        "severity": "SEV3",
        "services": ["api"],
        "report": "Slow",
    }
    client = client_of(responder)
    response = client.post(url("new"), typed)
    assert response.status_code == 409
    assert f"{first.name} is open for this" in text(response)
    assert client.post(url("new"), {**typed, "anyway": "on"}).status_code == 302
    assert Incident.objects.count() == 2


def test_the_composer_writes_notes_and_obeys_commands(
    declare: Declare, client_of: SignIn, commander: User, responder: User
) -> None:
    incident = declare(commander)
    client = client_of(commander)
    for typed in ("Found it", "/sev 1 payments are lost", "/role scribe responder"):
        assert client.post(url("compose", incident.number), {"text": typed, "key": typed}).status_code == 302
    incident.refresh_from_db()
    assert incident.severity == "SEV1"
    assert incident.roles.get().user == responder
    assert "Found it" in text(client.get(incident.get_absolute_url()))


def test_a_refused_command_keeps_what_was_typed_and_says_why(
    declare: Declare, client_of: SignIn, commander: User
) -> None:
    response = client_of(commander).post(url("compose", declare(commander).number), {"text": "/sev 9"})
    assert response.status_code == 409
    assert "Name one of SEV1, SEV2, SEV3, SEV4" in text(response)
    assert "/sev 9</textarea>" in text(response)


def test_a_responder_who_tries_to_command_is_refused_with_a_sentence(
    declare: Declare, client_of: SignIn, responder: User
) -> None:
    response = client_of(responder).post(url("compose", declare(responder).number), {"text": "/sev 1"})
    assert response.status_code == 403
    assert "may not command incidents: ask a commander" in text(response)


@pytest.mark.parametrize("key", ["detect", "assess", "communicate", "mitigate", "resolve", "postmortem"])
def test_every_step_has_a_page_that_says_what_it_lacks(
    declare: Declare, client_of: SignIn, commander: User, key: str
) -> None:
    incident = declare(commander)
    response = client_of(commander).get(url("step", incident.number, key))
    assert response.status_code == 200
    for reason in response.context["step"].missing:
        assert reason.mend in text(response)


def test_resolving_too_early_lists_every_reason_and_stays_open(
    declare: Declare, client_of: SignIn, commander: User
) -> None:
    incident = declare(commander)
    response = client_of(commander).post(url("complete", incident.number, "resolve"))
    assert response.status_code == 409
    for sentence in ("Assess is still open.", "Mitigate is still open.", "API server is Critical"):
        assert sentence in text(response)
    incident.refresh_from_db()
    assert incident.is_open


def test_resolve_lists_what_runs_of_the_incident_changed_and_nobody_put_back(
    declare: Declare, make_run: Callable[..., Run], client_of: SignIn, commander: User
) -> None:
    incident, client = declare(commander), client_of(commander)
    run = make_run(commander, status="succeeded", finished_at=timezone.now(), incident=incident.number)
    entry = Undo.objects.create(
        run=run,
        environment=run.environment,
        action="scale-api",
        target="nova-api",
        params={"desired_count": 2},
        sentence="The API server runs 4 tasks instead of 2.",
        expires_at=timezone.now() + timedelta(days=1),
    )
    page = text(client.get(url("step", incident.number, "resolve")))
    assert entry.sentence in page
    assert f'action="/controls/undo/{entry.pk}"' in page
    plan = Plan.objects.get(pk=client.post(f"/controls/undo/{entry.pk}")["Location"].split("/")[2])
    assert (plan.incident, plan.undoes, plan.params) == (incident.number, entry, {"desired_count": 2})
    assert entry.sentence not in text(client.get(url("step", incident.number, "mitigate")))


def test_an_override_shows_in_the_room(declare: Declare, client_of: SignIn, commander: User) -> None:
    incident = declare(commander)
    client = client_of(commander)
    client.post(url("override", incident.number, "mitigate"), {"reason": "Nothing can be done tonight"})
    page = text(client.get(incident.get_absolute_url()))
    assert "Overridden" in page
    assert "Nothing can be done tonight" in page


def test_the_whole_path_by_forms_ends_in_a_file(
    declare: Declare,
    make_run: Callable[..., Run],
    clear: Callable[..., None],
    client_of: SignIn,
    commander: User,
    responder: User,
    root: Path,
) -> None:
    number = declare(commander).number
    client = client_of(commander)
    client.post(url("complete", number, "assess"))
    for channel in ("slack", "status-page"):
        said = {"channel": channel, "text": "On it", "url": "https://told.example/1", "key": channel}
        client.post(url("message", number), said)
    client.post(url("complete", number, "communicate"))
    make_run(commander, status="succeeded", finished_at=timezone.now())
    client.post(url("affected", number), {"services": ["api"], "impact": "Logins fail"})
    client.post(url("complete", number, "mitigate"))
    clear(Alert.objects.get(), at=timezone.now() - timedelta(minutes=2))
    assert client.post(url("complete", number, "resolve"))["Location"] == url("postmortem", number)
    assert "High CPU on the API" in text(client.get(url("postmortem", number)))
    shown = {"version": 1, "anyway": "on", "factor": "limit"}
    client.post(url("postmortem_review", number), shown)
    client_of(responder).post(url("postmortem_decide", number), {"verdict": "approve"})
    client.post(url("postmortem_publish", number), shown)
    client.post(url("postmortem_export", number))
    client.post(url("complete", number, "postmortem"))
    assert Incident.objects.get().state == "closed"
    assert [path.suffix for path in (root / "docs/ops/post-mortems").iterdir()] == [".md"]


def test_a_poll_is_answered_with_204_until_something_happens(
    declare: Declare, client_of: SignIn, commander: User, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    incident = declare(commander)
    client, poll = client_of(commander), {"HX-Request": "true"}
    from novaops import live

    with django_capture_on_commit_callbacks(execute=True):
        live.publish(f"overview:{incident.environment}")
        decide.note(incident.number, "First", by=commander)
    first = client.get(incident.get_absolute_url(), headers=poll)
    rev = first.context["room"].rev
    assert rev
    with django_capture_on_commit_callbacks(execute=True):
        decide.note(incident.number, "Second", by=commander)
    again = client.get(incident.get_absolute_url(), {"rev": rev}, headers=poll)
    assert again.status_code == 200
    assert "Second" in text(again)
    assert "<html" not in text(again)


def test_an_unchanged_poll_of_the_room_asks_no_database_and_what_is_told_is_rendered_once(
    declare: Declare, client_of: SignIn, commander: User, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        incident = declare(commander)
    client, poll, room = client_of(commander), {"HX-Request": "true"}, incident.get_absolute_url()
    first = client.get(room, headers=poll)
    with CaptureQueriesContext(connection) as asked:
        same = client.get(room, {"rev": first.context["room"].rev}, headers=poll)
    if same.status_code == 204:
        assert len(asked) == 0
    assert client.get(room, {"rev": first.context["room"].rev}).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        assert "Declared as SEV2" in text(client.get(room))
    assert not [one for one in asked if 'FROM "incidents_timelineentry"' in one["sql"] and "LIMIT 4" in one["sql"]]


def test_the_polled_part_takes_no_text(declare: Declare, client_of: SignIn, commander: User) -> None:
    part = text(client_of(commander).get(declare(commander).get_absolute_url(), headers={"HX-Request": "true"}))
    assert "<textarea" not in part
    assert 'type="text"' not in part
    assert "hx-get=" in part


def test_the_strip_names_the_worst_open_incident_and_its_step_and_how_many_more_are_open(
    declare: Declare, place: Environment, make_alert: Callable[..., Alert], client_of: SignIn, commander: User
) -> None:
    assert incident_of(place) is None
    declare(commander, severity="SEV1", title="Worst")
    declare(commander, alert=make_alert(service="cache", rule="evictions"), services=("cache",))
    strip = incident_of(place)
    assert strip
    assert (strip.number, strip.title, strip.commander, strip.step) == (1, "Worst", "commander", "2/6 Assess")
    shown = text(client_of(commander).get(url("list")))
    assert '?state=open">1 more open</a>' in shown
    assert '<span class="count">2</span>' in shown


def test_a_conflict_keeps_the_typed_text_and_shows_the_other_version(
    worked: Incident, client_of: SignIn, commander: User, responder: User
) -> None:
    number = checklist.complete(worked.number, "resolve", by=commander).number
    first, second = client_of(commander), client_of(responder)
    version = first.get(url("postmortem_edit", number)).context["postmortem"].version
    assert second.post(url("postmortem_edit", number), {"text": "their words", "version": version}).status_code == 302
    response = first.post(url("postmortem_edit", number), {"text": "my words", "version": version})
    assert response.status_code == 409
    assert "my words" in text(response)
    assert "their words" in text(response)
    assert first.post(url("postmortem_edit", number), {"text": "merged", "version": version + 1}).status_code == 302
    assert Postmortem.objects.get().text == "merged"


def test_the_preview_is_safe_html(declare: Declare, client_of: SignIn, commander: User) -> None:
    number = declare(commander).number
    page = text(client_of(commander).post(url("postmortem_preview", number), {"text": "# Hi\n\n<script>x</script>"}))
    assert "<h1>Hi</h1>" in page
    assert "<script" not in page


def test_the_download_is_markdown_under_its_file_name(worked: Incident, client_of: SignIn, commander: User) -> None:
    number = checklist.complete(worked.number, "resolve", by=commander).number
    client = client_of(commander)
    client.get(url("postmortem", number))
    response = client.get(url("postmortem_download", number))
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert f'filename="{worked.started_at:%Y-%m-%d}-high-cpu-on-the-api.md"' in response["Content-Disposition"]
    assert "INC-1" in text(client.get(url("postmortem_print", number)))


def test_a_viewer_who_opens_a_post_mortem_first_does_not_generate_it(
    worked: Incident, client_of: SignIn, commander: User, viewer: User
) -> None:
    number = checklist.complete(worked.number, "resolve", by=commander).number
    assert client_of(viewer).get(url("postmortem", number)).status_code == 200
    assert not Postmortem.objects.exists()


def test_follow_ups_are_added_and_finished(declare: Declare, client_of: SignIn, commander: User) -> None:
    incident = declare(commander)
    client = client_of(commander)
    client.post(
        url("follow_ups", incident.number), {"title": "Scale earlier", "kind": "prevent", "due": timezone.now().date()}
    )
    follow_up = FollowUp.objects.get()
    assert "Scale earlier" in text(client.get(url("follow_ups", incident.number)))
    client.post(url("follow_up_state", incident.number, follow_up.pk), {"state": "done"})
    follow_up.refresh_from_db()
    assert follow_up.state == "done"


def test_the_room_costs_the_same_with_a_long_timeline(declare: Declare, client_of: SignIn, commander: User) -> None:
    incident = declare(commander)
    client = client_of(commander)
    client.get(incident.get_absolute_url())
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(incident.get_absolute_url()).status_code == 200
        counts.append(len(queries))
        for n in range(20):
            decide.note(incident.number, f"note {n}", by=commander)
        decide.add_follow_up(incident.number, FollowUp(title="x", kind="detect", owner=commander), by=commander)
    assert counts[1] <= counts[0]
    assert counts[1] <= 19


def test_the_list_costs_the_same_however_long_it_is(
    declare: Declare, make_alert: Callable[..., Alert], client_of: SignIn, commander: User
) -> None:
    client = client_of(commander)
    client.get(url("list"))
    counts = []
    for kind in ("api", "cache", "database"):
        declare(commander, alert=make_alert(service=kind, rule=kind), services=(kind,))
        with CaptureQueriesContext(connection) as queries:
            client.get(url("list"))
        counts.append(len(queries))
    assert len(set(counts)) == 1
    assert counts[0] <= 10
