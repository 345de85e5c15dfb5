"""What a program or a command line sends to make a plan, checked by the same forms that the page uses."""

import time
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import NON_FIELD_ERRORS

from novaops import environment as environments
from novaops.environment import Environment
from novaops.runbook import doorbell, planning
from novaops.runbook.action import Action
from novaops.runbook.models import Plan
from novaops.runbook.planning import Invalid
from novaops.runbook.registry import actions

# How long a program is kept waiting for a worker to look at a target, and how often its row is read meanwhile.
RESOLVE_WITHIN_S = 5.0
READ_EVERY_S = 0.05


def named(action: str, environment: str) -> tuple[Action, Environment]:
    """The action and the environment of these names. Raises Invalid with what there is."""
    place = environments.get(environment)
    if place is None:
        declared = ", ".join(environments.environments())
        raise Invalid("environment", f"There is no environment {environment!r}: use {declared}.")
    if action not in actions:
        raise Invalid("action", f"There is no action {action!r}: GET actions lists them.")
    return actions[action](), place


def checked(action: Action, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the action's form cleans them. Raises Invalid naming the first that is wrong and its rule."""
    unknown = sorted(set(values) - set(action.form.base_fields))
    if unknown:
        known = ", ".join(action.form.base_fields) or "none"
        raise Invalid(f"params.{unknown[0]}", f"{action.title} has no such parameter. It has: {known}.")
    form = action.form(dict(values))
    if form.is_valid():
        return dict(form.cleaned_data)
    field, sentences = next(iter(form.errors.items()))
    raise Invalid("params" if field == NON_FIELD_ERRORS else f"params.{field}", " ".join(map(str, sentences)))


def check_types(action: Action, values: Mapping[str, Any]) -> None:
    """Refuse a JSON value that only looks like the parameter's type ("3" or true for a number). Raises Invalid."""
    for name, value in values.items():
        field = action.form.base_fields.get(name)
        if field is not None and not _fits(field, value):
            raise Invalid(f"params.{name}", f"Send a JSON {json_type(field)}.")


def json_type(field: forms.Field) -> str:
    """The JSON type in which a form field's value is sent."""
    if isinstance(field, forms.BooleanField):
        return "boolean"
    if isinstance(field, forms.FloatField | forms.DecimalField):
        return "number"
    if isinstance(field, forms.IntegerField):
        return "integer"
    return "array" if isinstance(field, forms.MultipleChoiceField) else "string"


def _fits(field: forms.Field, value: Any) -> bool:
    if isinstance(value, bool):
        return json_type(field) == "boolean"
    types: dict[str, type | tuple[type, ...]] = {"number": (int, float), "integer": int, "array": list, "string": str}
    return isinstance(value, types.get(json_type(field), ()))


def plan(
    action: Action, environment: Environment, target: str, params: dict[str, Any], *, by: User, incident: int | None
) -> Plan:
    """A plan that a worker was asked to resolve, after a wait of RESOLVE_WITHIN_S at most. Raises Invalid."""
    made = planning.draft(action, environment, target, params, by=by, incident=incident)
    doorbell.ring_for_plan(str(made.pk))
    until = time.monotonic() + RESOLVE_WITHIN_S
    while made.state == Plan.State.RESOLVING and time.monotonic() < until:
        time.sleep(READ_EVERY_S)
        made.refresh_from_db()
    return made
