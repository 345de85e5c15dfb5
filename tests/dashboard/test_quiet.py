"""Silences and maintenance: who may, until when, why; what is then not told and what is shown all the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dashboard import overview, quiet
from dashboard.models import Alert, Maintenance, Silence
from novaops.audit.models import Entry

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def fired(**more: Any) -> Alert:
    now = timezone.now()
    values = {
        "environment": "sandbox",
        "service": "api",
        "rule": "high-cpu",
        "title": "High CPU",
        "severity": "crit",
        "source": "NovaOps",
        "sentence": "The API server's CPU is at 96 %",
        "value": 96,
        "threshold": 80,
        "started_at": now,
        "fired_at": now,
        **more,
    }
    return Alert.objects.create(dedup_key=f"{values['rule']}:{values.get('resource', '')}", **values)


def silenced(alert: Alert, environment, by, **more: Any) -> Silence:
    asked = {"reason": "a known bug", "ends_at": timezone.now() + HOUR, **more}
    return quiet.silence(environment, alert, **asked, by=by)


def window(environment, by, **more: Any) -> Maintenance:
    now, service = timezone.now(), more.pop("service", "api")
    asked = {"reason": "new parameter group", "starts_at": now, "ends_at": now + HOUR, **more}
    return quiet.plan_maintenance(environment, service, **asked, by=by)


def test_a_silence_mutes_its_rule_until_it_ends(environment, responder):
    alert, other = fired(), fired(rule="error-rate")
    silenced(alert, environment, responder)
    now = timezone.now()
    assert "Silenced by responder" in quiet.why_muted(alert, now)
    assert "a known bug" in quiet.why_muted(alert, now)
    assert quiet.why_muted(other, now) == ""
    assert quiet.why_muted(alert, now + HOUR) == ""


def test_a_silence_of_a_node_leaves_the_other_nodes_loud(environment, responder):
    one, two = fired(resource="one"), fired(resource="two")
    silenced(one, environment, responder)
    assert quiet.why_muted(one, timezone.now())
    assert not quiet.why_muted(two, timezone.now())


def test_a_silence_is_audited_and_can_be_lifted(environment, responder, commander):
    alert = fired()
    made = silenced(alert, environment, responder)
    quiet.end(made, environment, by=commander)
    assert quiet.why_muted(alert, timezone.now()) == ""
    entries = Entry.objects.order_by("seq").values_list("verb", "actor", "reason")
    assert list(entries) == [("alert.silenced", "responder", "a known bug"), ("silence.lifted", "commander", "")]
    with pytest.raises(quiet.Refused, match="over already"):
        quiet.end(made, environment, by=commander)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"reason": "  no "}, "Say why"),
        ({"ends_at": timezone.now() - HOUR}, "in the future"),
        ({"ends_at": timezone.now() + timedelta(days=8)}, "within 7 days"),
    ],
)
def test_a_silence_without_reason_or_end_is_refused(asked: dict[str, Any], said: str, environment, responder):
    with pytest.raises(quiet.Refused, match=said):
        silenced(fired(), environment, responder, **asked)
    assert not Silence.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_who_cannot_act_cannot_silence(role: str, environment, user_with_role):
    with pytest.raises(quiet.Refused, match="ask a responder or commander"):
        silenced(fired(), environment, user_with_role(role, "someone"))


def told_by(alert: Alert, *sources: str) -> None:
    for source in sources:
        alert.witnesses.create(source=source, name="x", sentence="y", since=alert.fired_at)


def test_an_alert_that_nobody_outside_ends_is_closed_by_hand_and_audited(responder, client_of):
    alert, client = fired(), client_of(responder)
    told_by(alert, "cloudwatch", "pagerduty")
    assert "It is over" in client.get(alert.get_absolute_url()).content.decode()
    client.post(f"/alerts/{alert.pk}/close", {"reason": "no"})
    alert.refresh_from_db()
    assert alert.state == "firing"
    client.post(f"/alerts/{alert.pk}/close", {"reason": "the alarm was deleted"})
    alert.refresh_from_db()
    assert (alert.state, alert.witnesses.filter(ended_at=None).count()) == ("cleared", 0)
    assert Entry.objects.get().verb == "alert.closed"


@pytest.mark.parametrize("sources", [("rule", "cloudwatch"), ()])
def test_what_novaops_measures_itself_is_not_closed_by_hand(sources: tuple[str, ...], environment, responder):
    alert = fired()
    told_by(alert, *sources)
    with pytest.raises(quiet.Refused, match="measures it itself"):
        quiet.close(alert, environment, reason="I think it is fine", by=responder)


def test_only_a_commander_plans_maintenance(environment, responder, commander):
    with pytest.raises(quiet.Refused, match="ask a commander"):
        window(environment, responder)
    window(environment, commander)
    assert Entry.objects.get().verb == "maintenance.planned"


def test_a_service_in_maintenance_is_neither_healthy_nor_critical_and_mutes_its_alerts(calm, environment, commander):
    calm()
    alert = fired()
    window(environment, commander)
    built = overview.build(environment)
    tile = next(tile for tile in built.tiles if tile.kind == "api")
    assert (tile.state, built.verdict.state) == ("maint", "maint")
    assert "new parameter group" in tile.why
    assert built.verdict.sentence == "API server: in maintenance; the other 3 are healthy"
    assert built.alerts == []
    assert "in maintenance" in quiet.why_muted(alert, timezone.now())


def test_what_else_burns_is_the_verdict_during_maintenance(calm, environment, commander):
    calm()
    fired(severity="warn")
    fired(service="database", rule="database-cpu", sentence="The database is busy")
    window(environment, commander)
    verdict = overview.build(environment).verdict
    assert (verdict.state, verdict.sentence) == ("crit", "The database is busy")


def test_maintenance_to_come_changes_nothing_yet(calm, environment, commander):
    calm()
    made = window(environment, commander, starts_at=timezone.now() + HOUR, ends_at=timezone.now() + 2 * HOUR)
    assert overview.build(environment).verdict.state == "ok"
    assert list(quiet.windows("sandbox", timezone.now())) == [made]
    assert list(quiet.windows("sandbox", timezone.now() + 3 * HOUR)) == []


def test_pages_show_who_says_so_and_filter(environment, responder, client_of):
    alert = fired()
    alert.witnesses.create(source="pagerduty", name="PINC01", sentence="Triggered", since=alert.fired_at)
    client = client_of(responder)
    page = client.get("/alerts/?witness=pagerduty&state=firing&service=api").content.decode()
    assert "High CPU" in page
    assert "PINC01" in page
    assert "High CPU" not in client.get("/alerts/?witness=cloudwatch").content.decode()
    assert "No alert matches" in client.get("/alerts/?state=nonsense").content.decode()
    own = client.get(alert.get_absolute_url()).content.decode()
    assert "Who says so" in own
    assert "scale-api" in own


def test_a_silence_is_made_and_ended_on_pages(responder, client_of):
    alert, client = fired(), client_of(responder)
    assert client.post(f"/alerts/{alert.pk}/silence", {"minutes": "60", "reason": "a known bug"}).status_code == 302
    assert "Nobody is told of it" in client.get(alert.get_absolute_url()).content.decode()
    again = client.post(f"/alerts/{alert.pk}/silence", {"minutes": "60", "reason": "a known bug"})
    assert (again.status_code, "silenced already" in again.content.decode()) == (409, True)
    assert client.post(f"/alerts/{alert.pk}/silence", {"minutes": "7", "reason": "x"}).status_code == 409
    made = Silence.objects.get()
    assert "a known bug" in client.get("/alerts/").content.decode()
    assert client.post(f"/silences/{made.pk}/lift").status_code == 302
    assert client.post(f"/silences/{made.pk}/lift").status_code == 302


def test_maintenance_is_planned_and_ended_on_its_page(commander, client_of):
    client = client_of(commander)
    start = timezone.now().strftime("%Y-%m-%dT%H:%M")
    asked = {"service": "cache", "starts_at": start, "ends_at": "2000-01-01T00:00", "reason": "scale the node"}
    assert client.post("/maintenance/plan", asked).status_code == 409
    assert client.post("/maintenance/plan", asked | {"service": "novaops"}).status_code == 409
    asked["ends_at"] = (timezone.now() + HOUR).strftime("%Y-%m-%dT%H:%M")
    assert client.post("/maintenance/plan", asked).status_code == 302
    assert "scale the node" in client.get("/maintenance/").content.decode()
    assert client.post(f"/maintenance/{Maintenance.objects.get().pk}/finish").status_code == 302
    assert "Nothing is planned" in client.get("/maintenance/").content.decode()


def test_the_page_of_alerts_costs_the_same_however_many_there_are(responder, client_of, django_assert_max_num_queries):
    for number in range(30):
        alert = fired(rule=f"rule-{number}")
        alert.witnesses.create(source="rule", name="x", sentence="y", since=alert.fired_at)
    client = client_of(responder)
    with django_assert_max_num_queries(15):
        client.get("/alerts/")
