"""What is learned from incidents is honest: unknown is no zero, few make no average, nothing is computed twice."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from statistics import fmean, median

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from dashboard.models import Alert
from incidents import checklist, learning
from incidents import incident as decide
from incidents.measures import Known, Measure
from incidents.models import FollowUp, Incident
from incidents.statistics import ENOUGH, summary
from novaops.runbook.models import Run

SignIn = Callable[[User], Client]
NOW = timezone.now()
measured = st.lists(
    st.one_of(
        st.floats(0, 1e6).map(lambda s: Measure(name="x", meaning="", known=Known.RECORDED, seconds=s)),
        st.sampled_from([Known.PENDING, Known.NOT_APPLICABLE, Known.INVALID]).map(
            lambda known: Measure(name="x", meaning="", known=known)
        ),
    ),
    max_size=30,
)


@given(measured)
def test_an_unknown_measure_is_counted_and_never_a_zero(found: list[Measure]) -> None:
    made = summary("x", found)
    known = [one.seconds for one in found if one.seconds is not None]
    assert made.n == len(known)
    assert made.n + sum(made.unknown.values()) == len(found)
    if len(known) < ENOUGH:
        assert (made.median_s, made.mean_s, made.p90_s) == (None, None, None)
        assert "mean" not in made.care
    else:
        assert made.median_s == median(known)
        assert made.mean_s == fmean(known)
    if made.p90_s is not None:
        assert sum(one <= made.p90_s for one in known) >= 0.9 * len(known)


def test_two_values_are_shown_themselves() -> None:
    found = [Measure(name="x", meaning="", known=Known.RECORDED, seconds=seconds) for seconds in (540, 300)]
    made = summary("x", [*found, Measure(name="x", meaning="", known=Known.PENDING)])
    assert (made.text, made.care) == ("5 min, 9 min", "n = 2, 1 pending")
    assert summary("x", []).text == "none known"


@pytest.fixture
def resolved(worked: Incident, commander: User) -> Incident:
    return checklist.complete(worked.number, "resolve", by=commander)


@pytest.mark.django_db
def test_times_are_grouped_and_a_rehearsal_is_left_out(
    resolved: Incident, declare: Callable[..., Incident], make_alert: Callable[..., Alert], commander: User
) -> None:
    other = declare(commander, alert=make_alert(service="cache"), services=("cache", "database"), severity="SEV1")
    drill = declare(commander, alert=make_alert(service="events"), services=("events",))
    Incident.objects.filter(pk=drill.pk).update(is_drill=True)
    told = learning.incidents(resolved.environment, None)
    assert [one.incident.number for one in told] == [other.number, resolved.number]
    assert [(group.name, group.incidents) for group in learning.by_severity(told)] == [("SEV1", 1), ("SEV2", 1)]
    assert [group.name for group in learning.by_service(told)] == ["API server", "Database", "Redis"]
    assert [group.name for group in learning.by_month(told)] == [f"{resolved.started_at:%Y-%m}"]
    resolve = next(one for one in learning.everything(told).times if one.name == "Time to resolve")
    assert (resolve.n, resolve.unknown) == (1, {Known.PENDING: 1})
    assert learning.incidents(resolved.environment, NOW + timedelta(days=1)) == []
    assert learning.by_factor(told) == [("Not said yet", 2)]


@pytest.mark.django_db
def test_actions_and_alerts_are_counted(
    resolved: Incident, make_run: Callable[..., Run], make_alert: Callable[..., Alert], commander: User
) -> None:
    began = NOW - timedelta(minutes=5)
    for status, minutes in (("succeeded", 1), ("succeeded", 3), ("failed", 2)):
        make_run(commander, status=status, started_at=began, finished_at=began + timedelta(minutes=minutes))
    make_alert(
        service="cache", title="Redis Evictions", cleared_at=NOW - timedelta(minutes=14), state="cleared", flaps=2
    )
    (acted,) = learning.actions(resolved.environment, None)
    assert (acted.runs, acted.succeeded, acted.failed, acted.success) == (4, 3, 1, "75 % of 4")
    assert acted.took.seconds == (60, 180)
    noisy = {one.title: one for one in learning.noise(resolved.environment, None)}
    assert (noisy["High CPU"].alone, noisy["High CPU"].fired) == (0, 1)
    assert (noisy["Redis Evictions"].alone, noisy["Redis Evictions"].brief, noisy["Redis Evictions"].flaps) == (1, 1, 2)


@pytest.mark.django_db
def test_the_exports_keep_unknown_empty_and_compute_nothing(
    resolved: Incident, client_of: SignIn, viewer: User
) -> None:
    Incident.objects.update(title="=1+1", mitigated_at=None)
    client = client_of(viewer)
    lines = b"".join(client.get("/learning/export.csv")).decode()  # type: ignore[call-overload]
    found = [row for row in csv.DictReader(io.StringIO(lines)) if row["measure"] == "Time to mitigate"]
    assert [(row["title"], row["known"], row["seconds"]) for row in found] == [("'=1+1", "Not applicable", "")]
    told = client.get("/learning/export.json").json()
    mitigate = next(one for one in told["times"]["all"][0]["times"] if one["measure"] == "Time to mitigate")
    assert (mitigate["recorded"], mitigate["not_applicable"], mitigate["median_s"]) == (0, 1, None)


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/postmortems/", "/follow-ups/", "/learning/"])
def test_a_page_says_when_there_is_nothing_and_costs_the_same_with_much(
    declare: Callable[..., Incident],
    make_alert: Callable[..., Alert],
    client_of: SignIn,
    commander: User,
    address: str,
) -> None:
    client = client_of(commander)
    client.get(address)
    counts = []
    for kind in ("api", "cache", "database"):
        incident = declare(commander, alert=make_alert(service=kind, rule=kind), services=(kind,))
        Incident.objects.filter(pk=incident.pk).update(resolved_at=NOW)
        decide.add_follow_up(incident.number, FollowUp(title="x", kind="detect", owner=commander), by=commander)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        counts.append(len(queries))
    assert len(set(counts)) == 1, counts
    assert counts[0] <= 14


@pytest.mark.django_db
def test_follow_ups_are_found_changed_and_exported(
    resolved: Incident, client_of: SignIn, commander: User, viewer: User
) -> None:
    late = FollowUp(title="=cmd|' /C calc'!A0", kind="prevent", owner=commander, due=NOW.date() - timedelta(days=1))
    decide.add_follow_up(resolved.number, late, by=commander)
    decide.add_follow_up(resolved.number, FollowUp(title="Some day", kind="detect"), by=commander)
    client = client_of(commander)

    def titles(**asked: str) -> list[str]:
        return [each.title for each, _ in client.get("/follow-ups/", asked).context["rows"]]

    assert titles() == [late.title, "Some day"]
    assert titles(due="overdue") == titles(owner="commander") == [late.title]
    assert titles(due="none") == titles(owner="nobody") == titles(q="some") == ["Some day"]
    assert titles(state="done") == []
    lines = b"".join(client.get("/follow-ups/export.csv", {"due": "overdue"})).decode()  # type: ignore[call-overload]
    (row,) = csv.DictReader(io.StringIO(lines))
    assert (row["title"], row["overdue"]) == (f"'{late.title}", "True")
    assert [one["title"] for one in client.get("/follow-ups/export.json").json()["follow_ups"]] == titles()
    typed = {"title": "Some day soon", "kind": "detect", "owner": commander.pk, "due": "2027-01-01"}
    address = f"/follow-ups/{FollowUp.objects.get(title='Some day').pk}/"
    assert client_of(viewer).post(address, typed).status_code == 403
    assert client.post(address, typed).status_code == 302
    for state, back, leads in (
        ("done", "/follow-ups/?state=", "/follow-ups/?state="),
        ("open", "//evil.example", "/follow-ups/"),
    ):
        assert client.post(f"{address}state", {"state": state, "back": back})["Location"] == leads
    changed = FollowUp.objects.get(title="Some day soon")
    assert (changed.owner, changed.state, changed.closed_at) == (commander, "open", None)
