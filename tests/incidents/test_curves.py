"""How long a service was in which state, from raw samples and from what is left of them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard import partitions, samples
from dashboard.models import FiveMinutes
from dashboard.samples import Key
from incidents.models import Incident
from incidents.postmortem import curves
from incidents.postmortem.measured import FIVE_MINUTES, Window
from novaops import environment as environments

CPU = Key("api", "cpu")


@pytest.mark.django_db
def test_what_is_rolled_up_was_seen_all_the_time() -> None:
    place = environments.default()
    start = timezone.now().replace(minute=2, second=17) - timedelta(days=20)
    bins = [start.replace(minute=0, second=0) + timedelta(minutes=5 * at) for at in range(13)]
    partitions.ensure(partitions.FIVE_MINUTES, bins)
    series = samples.series_of(place.name, {CPU: "%"})[CPU]
    FiveMinutes.objects.bulk_create(
        FiveMinutes(series=series, at=at, value=1.0, low=1.0, high=1.0, samples=10) for at in bins
    )
    seen = Window(environment=place, start=start, end=start + timedelta(minutes=50), kept=FIVE_MINUTES)
    (state,) = curves.of_states(Incident(services=["api"]), seen, [])
    assert (state.unknown_s, state.ok_s) == (0, 3000)
