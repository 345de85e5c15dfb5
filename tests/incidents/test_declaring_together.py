"""Two people who declare at once get one incident."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connections

from dashboard.models import Alert
from incidents import declaring
from incidents.models import Incident
from novaops.environment import Environment


@pytest.mark.django_db(transaction=True)
def test_two_who_declare_at_once_get_one_incident(
    place: Environment, make_alert: Callable[..., Alert], commander: User
) -> None:
    declaration = declaring.Declaration(
        environment=place, title="High CPU", severity="SEV2", services=("api",), alert=make_alert()
    )

    def declare(_: int) -> str:
        try:
            return declaring.declare(declaration, by=commander).name
        except declaring.Covered as refusal:
            return f"covered by {refusal.incident.name}"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(declare, range(2)))
    assert answers == ["INC-1", "covered by INC-1"]
    assert Incident.objects.count() == 1
