"""What a tab shows and a browser may notify of."""

import pytest

from tests.dashboard.test_quiet import fired

pytestmark = pytest.mark.django_db


def test_it_tells_the_verdict_and_how_many_services_are_in_it(calm, viewer, client_of):
    calm()
    fired()
    told = client_of(viewer).get("/fragments/notices").json()
    assert (told["state"], told["count"], told["sentence"]) == ("crit", 1, "The API server's CPU is at 96 %")
    assert told["news"] == []


def test_it_is_empty_while_nothing_moved_on(calm, environment, viewer, client_of):
    from dashboard import overview
    from novaops import live

    calm()
    live._bump(f"overview:{environment.name}")
    client = client_of(viewer)
    current = overview.revision(environment)
    answer = client.get("/fragments/notices", {"rev": current})
    assert (answer.status_code, answer.content) == (204, b"") or overview.revision(environment) != current
