"""What attaches itself: charts frozen as data, logs around the beginning, deployments; and error rates at Resolve."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard import samples
from dashboard.models import Reading
from dashboard.samples import Key
from incidents import checklist, excerpts, frozen
from incidents.guard import Refused
from incidents.models import Incident
from novaops.environment import Environment
from tests.servers import Nova

Declare = Callable[..., Incident]
pytestmark = pytest.mark.django_db


def sampled(place: Environment, name: str, values: dict[timedelta, float]) -> None:
    """Samples of a series of the API, so long ago."""
    now = timezone.now().replace(microsecond=0)
    row = samples.series_of(place.name, {Key("api", name): "%"})[Key("api", name)]
    samples.write({(row.pk, now - ago): value for ago, value in values.items()}, now)


def test_charts_are_frozen_with_the_declaration(
    place: Environment, declare: Declare, client_of: Callable[[User], Client], commander: User
) -> None:
    sampled(place, "cpu", {timedelta(minutes=minute): 90.0 for minute in range(1, 30)})
    incident = declare(commander)
    (chart,) = incident.timeline.get(data__has_key="charts").data["charts"]
    assert (chart["service"], chart["series"], max(value or 0 for value in chart["values"])) == ("api", "cpu", 90.0)
    page = client_of(commander).get(reverse("incidents:step", args=[incident.number, "assess"])).content.decode()
    assert "Charts, frozen" in page
    assert "cpu: now" in page or "cpu: no data now" in page


def test_deployments_of_the_last_hour_are_on_the_timeline(
    place: Environment, declare: Declare, commander: User
) -> None:
    at = (datetime.now(UTC) - timedelta(minutes=4)).replace(microsecond=0)
    reading = Reading.objects.get(environment=place.name, service="api")
    one = {"at": at.isoformat(), "task_definition": "nova-api:42", "rollout_state": "COMPLETED"}
    reading.facts = {**reading.facts, "deployments": [one]}
    reading.save()
    entry = declare(commander).timeline.get(kind="deployment")
    assert (entry.at, "nova-api:42" in entry.text) == (at, True)


def test_logs_around_the_beginning_are_attached_once(aws: Nova, declare: Declare, commander: User) -> None:
    incident = declare(commander)
    for _ in range(2):
        excerpts.attach_early(timezone.now())
    assert incident.timeline.filter(dedup_key__startswith="early:").count() == 1


def test_resolve_waits_until_error_rates_are_back_to_the_baseline(
    place: Environment, worked: Incident, commander: User
) -> None:
    before = {timezone.now() - worked.started_at + timedelta(minutes=minute): 0.2 for minute in range(5, 50)}
    sampled(place, "error_rate", {**before, timedelta(seconds=5): 7.0})
    with pytest.raises(Refused) as refused:
        checklist.complete(worked.number, "resolve", by=commander)
    assert [reason.sentence for reason in refused.value.reasons] == [
        "The error rate is 7.0 %; in the hour before it began it was 0.2 %."
    ]
    sampled(place, "error_rate", {timedelta(seconds=5): 0.3, timedelta(seconds=4): 0.3, timedelta(seconds=6): 0.3})
    rate = frozen.error_rate(Incident.objects.get(pk=worked.pk), place)
    assert rate
    assert rate.before == pytest.approx(0.2)


@pytest.mark.parametrize(("verify_for_s", "period_s", "now"), [(10, 5, 7.0), (60, 60, 5.0), (300, 60, 3.0)])
def test_the_rate_of_now_is_of_three_points_at_least(
    place: Environment, worked: Incident, verify_for_s: int, period_s: int, now: float
) -> None:
    before = timezone.now() - worked.started_at + timedelta(minutes=5)
    ago = {before: 0.2, timedelta(seconds=9): 7.0, timedelta(seconds=150): 3.0, timedelta(seconds=200): -1.0}
    sampled(place, "error_rate", ago)
    asked = place.model_copy(update={"verify_for_s": verify_for_s, "metric_period_s": period_s})
    rate = frozen.error_rate(Incident.objects.get(pk=worked.pk), asked)
    assert rate
    assert rate.now == pytest.approx(now)


def test_nothing_is_asked_of_error_rates_that_nobody_knows(
    place: Environment, worked: Incident, commander: User
) -> None:
    assert frozen.error_rate(worked, place) is None
    assert not checklist.complete(worked.number, "resolve", by=commander).is_open
