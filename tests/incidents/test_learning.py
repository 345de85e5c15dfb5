"""What is learned from incidents is honest: unknown is no zero, few make no average, nothing is computed twice."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import fmean, median

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.models import Alert
from incidents import checklist, documents, learning, moments, reviews
from incidents import incident as decide
from incidents.guard import Refused
from incidents.health import titles
from incidents.measures import SHORT, Known, measures
from incidents.models import FollowUp, Incident
from incidents.statistics import ENOUGH, ENOUGH_FOR_TAIL, Summary, of_spread
from novaops.environment import Environment
from novaops.runbook.models import Run

SignIn = Callable[[User], Client]
NOW = timezone.now()


def pulled(client: Client, address: str, **asked: str) -> str:
    """A file as the browser puts it together from the pieces that are streamed."""
    response = client.get(address, asked)
    assert response.streaming
    return b"".join(response).decode()  # type: ignore[call-overload]


def recomputed(found: list[Incident], name: str) -> Summary:
    """A measure of these incidents, computed one by one."""
    each = [one for incident in found for one in measures(incident.moments) if one.name == name]
    known = sorted(one.seconds for one in each if one.seconds is not None)
    unknown = Counter(one.known for one in each if one.seconds is None)
    enough = len(known) >= ENOUGH
    return Summary(
        name=name,
        n=len(known),
        median_s=pytest.approx(median(known)) if enough else None,  # type: ignore[arg-type]
        mean_s=pytest.approx(fmean(known)) if enough else None,  # type: ignore[arg-type]
        p90_s=next(one for one in known if sum(other <= one for other in known) >= 0.9 * len(known))
        if len(known) >= ENOUGH_FOR_TAIL
        else None,
        few=() if enough else tuple(known),
        unknown=dict(unknown),
    )


def some_incident(chance: Random, number: int, place: str) -> Incident:
    """An incident whose moments are known or not, in their order or not."""
    began = datetime(2026, chance.choice([1, 2, 2, 2]), 28, 23, 59, 59, tzinfo=UTC)
    later = [began + timedelta(seconds=chance.randint(-60, 7200) + chance.random()) for _ in range(4)]
    names = ("detected_at", "acknowledged_at", "mitigated_at", "resolved_at")
    said = {name: at if chance.random() < 0.7 else None for name, at in zip(names, later, strict=True)}
    return Incident(
        number=number,
        environment=place,
        title="Some",
        severity=chance.choice(["SEV1", "SEV2", "SEV2", "SEV2", "SEV2"]),
        services=chance.sample(["api", "database", "cache"], chance.randint(0, 2)),
        declared_at=began if chance.random() < 0.2 else began + timedelta(minutes=5),
        started_at=began,
        state=chance.choice(["open", "resolved", "closed", "closed", "merged"]),
        is_drill=chance.random() < 0.1,
        **said,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("many", [1, 2, 4, 60])
def test_the_times_of_many_are_those_of_each_and_an_unknown_one_is_no_zero(place: Environment, many: int) -> None:
    chance = Random(many)
    made = Incident.objects.bulk_create(some_incident(chance, n, place.name) for n in range(1, many + 1))
    real = [one for one in made if not one.is_drill and one.state != "merged"]
    names: dict[str, Callable[[Incident], Iterable[str]]] = {
        "all": lambda _: ["All"],
        "severity": lambda one: [one.severity],
        "service": lambda one: titles(one.services),
        "month": lambda one: [f"{one.started_at:%Y-%m}"],
    }
    found = learning.times(place.name, None)
    for kind, of in names.items():
        groups = {name: [one for one in real if name in of(one)] for one in real for name in of(one)}
        assert [(group.name, group.incidents) for group in found[kind]] == sorted(
            (name, len(ones)) for name, ones in groups.items()
        )
        for group in found[kind]:
            assert list(group.times) == [recomputed(groups[group.name], name) for name in SHORT], (kind, group.name)


def test_two_values_are_shown_themselves() -> None:
    made = of_spread("x", (2, 420.0, 420.0, 540.0, 300.0, 540.0), {Known.PENDING: 1, Known.INVALID: 0})
    assert (made.text, made.care, made.median_s) == ("5 min, 9 min", "n = 2, 1 pending", None)
    assert of_spread("x", (1, 60.0, 60.0, 60.0, 60.0, 60.0)).text == "1 min"
    assert of_spread("x", (0, None, None, None, None, None)).text == "none known"


@pytest.mark.django_db
def test_where_nobody_said_when_it_began_no_time_to_detect_is_made_up(
    declare: Callable[..., Incident], commander: User
) -> None:
    incident = declare(commander, alert=None)
    (detect, *_) = measures(incident.moments)
    assert (detect.known, detect.seconds) == (Known.INVALID, None)
    (everything,) = learning.times(incident.environment, None)["all"]
    assert (everything.times[0].n, everything.times[0].unknown) == (0, {Known.INVALID: 1})
    before = incident.started_at - timedelta(minutes=4)
    incident = moments.set_moment(incident.number, "started", before, "the access log", by=commander)
    assert measures(incident.moments)[0].seconds == 240


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
    found = learning.times(resolved.environment, None)
    assert [(group.name, group.incidents) for group in found["severity"]] == [("SEV1", 1), ("SEV2", 1)]
    assert [group.name for group in found["service"]] == ["API server", "Database", "Redis"]
    assert [group.name for group in found["month"]] == [f"{resolved.started_at:%Y-%m}"]
    resolve = next(one for one in found["all"][0].times if one.name == "Time to resolve")
    assert (resolve.n, resolve.unknown) == (1, {Known.PENDING: 1})
    assert not any(learning.times(resolved.environment, NOW + timedelta(days=1)).values())
    assert learning.by_factor(resolved.environment, None) == [("Not said yet", 2)]
    told = {row["incident"] for row in learning.rows(resolved.environment, None)}
    assert told == {other.number, resolved.number}


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
    assert (acted.took.n, acted.took.few) == (2, (60, 180))
    noisy = {one.title: one for one in learning.noise(resolved.environment, None)}
    assert (noisy["High CPU"].alone, noisy["High CPU"].fired) == (0, 1)
    assert (noisy["Redis Evictions"].alone, noisy["Redis Evictions"].brief, noisy["Redis Evictions"].flaps) == (1, 1, 2)


@pytest.mark.django_db
def test_the_exports_keep_unknown_empty_and_compute_nothing(
    resolved: Incident, client_of: SignIn, viewer: User
) -> None:
    Incident.objects.update(title="=1+1", mitigated_at=None)
    client = client_of(viewer)
    lines = pulled(client, "/learning/export.csv")
    found = [row for row in csv.DictReader(io.StringIO(lines)) if row["measure"] == "Time to mitigate"]
    assert [(row["title"], row["known"], row["seconds"]) for row in found] == [("'=1+1", "Not applicable", "")]
    told = json.loads(pulled(client, "/learning/export.json"))
    assert [row["known"] for row in told["measures"] if row["measure"] == "Time to mitigate"] == ["Not applicable"]
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
    late = FollowUp(title="=cmd|' /C calc'!A0", kind="prevent", owner=commander, due=timezone.now().date())
    decide.add_follow_up(resolved.number, late, by=commander)
    FollowUp.objects.update(due=timezone.now().date() - timedelta(days=1))
    decide.add_follow_up(resolved.number, FollowUp(title="Some day", kind="detect"), by=commander)
    client = client_of(commander)

    def titles(**asked: str) -> list[str]:
        return [each.title for each, _ in client.get("/follow-ups/", asked).context["rows"]]

    assert titles() == [late.title, "Some day"]
    assert titles(due="overdue") == titles(owner="commander") == [late.title]
    assert titles(due="none") == titles(owner="nobody") == titles(q="some") == ["Some day"]
    assert titles(state="done") == []
    lines = pulled(client, "/follow-ups/export.csv", due="overdue")
    (row,) = csv.DictReader(io.StringIO(lines))
    assert (row["title"], row["overdue"]) == (f"'{late.title}", "True")
    assert [one["title"] for one in json.loads(pulled(client, "/follow-ups/export.json"))["follow_ups"]] == titles()
    typed = {
        "title": "Some day soon",
        "kind": "detect",
        "owner": commander.pk,
        "due": timezone.now().date() + timedelta(days=9),
    }
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


def test_a_date_that_is_over_is_refused_and_one_that_passed_may_stay(
    resolved: Incident, client_of: SignIn, commander: User
) -> None:
    today = timezone.now().date()
    gone = FollowUp(title="Too late", kind="prevent", due=today - timedelta(days=1))
    with pytest.raises(Refused, match="is over: choose today or a later day"):
        decide.add_follow_up(resolved.number, gone, by=commander)
    decide.add_follow_up(resolved.number, FollowUp(title="Scale", kind="prevent", due=today), by=commander)
    each = FollowUp.objects.get()
    FollowUp.objects.update(due=today - timedelta(days=3))
    client, address = client_of(commander), f"/follow-ups/{each.pk}/"
    typed = {"title": "Scale earlier", "kind": "prevent", "owner": "", "due": today - timedelta(days=3)}
    assert client.post(address, typed).status_code == 302
    answer = client.post(address, typed | {"due": today - timedelta(days=1)})
    assert (answer.status_code, b"is over: choose today" in answer.content) == (409, True)
    assert FollowUp.objects.get().title == "Scale earlier"


def test_the_work_of_somebody_who_left_is_found_marked_and_in_the_way_of_publishing(
    resolved: Incident, client_of: SignIn, commander: User, responder: User
) -> None:
    due = timezone.now().date()
    decide.add_follow_up(
        resolved.number, FollowUp(title="Scale", kind="prevent", owner=responder, due=due), by=commander
    )
    assert reviews.loose(FollowUp.objects.all()) == []
    User.objects.filter(pk=responder.pk).update(is_active=False)
    (each,) = FollowUp.objects.all()
    assert reviews.loose([each]) == [each]
    client = client_of(commander)
    page = client.get("/follow-ups/", {"owner": "left"})
    assert [found for found, _ in page.context["rows"]] == [each]
    assert "has left" in page.content.decode()
    assert json.loads(pulled(client, "/follow-ups/export.json"))["follow_ups"][0]["owner_left"] is True
    document = documents.ensure(resolved.number, by=commander, base_url="")
    assert "| Scale | prevent | responder (has left) |" in document.text
    assert "“Scale” has no owner." in " ".join(finding.sentence for finding in reviews.findings(document))
    typed = {"title": "Scale", "kind": "prevent", "owner": responder.pk, "due": due}
    assert client.post(f"/follow-ups/{each.pk}/", typed).status_code == 302


@pytest.mark.parametrize("many", [0, 1, 500, 1201])
def test_a_long_list_is_sent_in_few_pieces_and_is_whole(many: int) -> None:
    pieces = list(learning.json_pieces({"a": 1}, "rows", ({"n": n} for n in range(many))))
    assert json.loads("".join(pieces)) == {"a": 1, "rows": [{"n": n} for n in range(many)]}
    assert len(pieces) <= 2 + many / 500 + 1
