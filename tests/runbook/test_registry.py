"""Every action of the catalogue keeps the contract; a half-declared one does not get in."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from novaops import environment as environments
from novaops.runbook.action import Action, Risk
from novaops.runbook.registry import actions, register

RUNBOOK = ["Routine Maintenance", "Backup Strategy", "Incident Response Checklist", "Common Alert Runbooks"]
CATALOGUE = [action for key, action in sorted(actions.items())]
ids = [action.key for action in CATALOGUE]


def test_the_catalogue_has_what_the_files_declare() -> None:
    assert {"restart-api", "scale-api", "restart-event-processor"} <= set(actions)


@pytest.mark.parametrize("action", CATALOGUE, ids=ids)
def test_every_action_names_permissions_risk_service_and_runbook_section(action: type[Action]) -> None:
    assert action.iam_permissions
    assert all(":" in permission for permission in action.iam_permissions)
    assert isinstance(action.risk, Risk)
    assert action.service in environments.SERVICE_KINDS
    assert action.runbook_section.partition(":")[0] in RUNBOOK


@pytest.mark.parametrize("action", CATALOGUE, ids=ids)
def test_every_action_says_who_is_affected_and_how_to_undo_it(action: type[Action]) -> None:
    assert all(sentence.endswith(".") for sentence in (action.affects, action.undo))
    assert action.__doc__


def test_it_refuses_an_action_that_does_not_declare_itself() -> None:
    class Half(Action):
        key = "half"

    with pytest.raises(ImproperlyConfigured, match="Half does not declare title, service, risk"):
        register(Half)


def test_it_refuses_a_key_that_is_taken() -> None:
    other = type("Other", (actions["restart-api"],), {})
    with pytest.raises(ImproperlyConfigured, match="restart-api is declared twice"):
        register(other)
