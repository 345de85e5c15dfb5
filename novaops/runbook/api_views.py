"""Rows and declarations as the API shows them."""

from typing import Any

from django import forms

from novaops.access import tokens
from novaops.access.models import Token
from novaops.audit.models import Entry
from novaops.environment import Environment
from novaops.runbook import approvals, intake
from novaops.runbook.action import Action, Risk
from novaops.runbook.models import Call, Plan, Run, Step


def action(declared: Action, environment: Environment, token: Token) -> dict[str, Any]:
    """An action as the token may use it there."""
    refused = refusal(declared, environment, token)
    return {
        "key": declared.key,
        "title": declared.title,
        "summary": summary(declared),
        "service": declared.service,
        "risk": declared.risk.value,
        "runbook_section": declared.runbook_section,
        "targets": list(declared.targets(environment)),
        "params": [parameter(name, field) for name, field in declared.form.base_fields.items()],
        "affects": declared.affects,
        "undo": declared.undo,
        "expected_s": declared.expected_s,
        "needs_approval": approvals.needed(declared, environment),
        "allowed": not refused,
        "refusal": refused,
    }


def refusal(declared: Action, environment: Environment, token: Token) -> str:
    """Why the token may not start the action there; empty where it may.

    What destroys is only ever requested by a token: a person decides, so there must be one who is asked.
    """
    verdict = tokens.permits(token, declared.risk.verb, environment)
    if verdict and declared.risk is Risk.DESTRUCTIVE and not approvals.needed(declared, environment):
        return f"{environment.title} asks for no second person, so a person starts this on the page, not a token."
    return verdict.sentence


def summary(declared: Action) -> str:
    """The first paragraph of the action's docstring, in one line."""
    return " ".join((declared.__doc__ or "").strip().split("\n\n")[0].split())


def parameter(name: str, field: forms.Field) -> dict[str, Any]:
    """A parameter of an action, from the field of its form."""
    choices = getattr(field, "choices", None)
    return {
        "name": name,
        "type": intake.json_type(field),
        "required": field.required and not isinstance(field, forms.BooleanField),
        "help": str(field.help_text),
        "minimum": getattr(field, "min_value", None),
        "maximum": getattr(field, "max_value", None),
        "choices": [str(value) for value, _ in choices if value != ""] if choices else None,
    }


def plan(row: Plan) -> dict[str, Any]:
    """A plan; runnable where it is ready and no precheck failed."""
    names = ("environment", "action", "target", "params", "sentence", "prechecks", "changes", "steps", "affects")
    more = ("undo", "expected_s", "digest", "created_at", "resolved_at")
    ready = row.state == Plan.State.READY
    shown = {name: getattr(row, name) for name in (*names, *more)}
    return {"id": row.pk, "state": row.state, "runnable": ready and not row.refusals, **shown}


def brief(row: Run) -> dict[str, Any]:
    """A run as a list shows it."""
    names = ("environment", "action", "title", "service", "target", "params", "risk", "status", "finished", "outcome")
    more = ("reason", "incident", "via", "cancel_requested", "created_at", "started_at", "finished_at")
    shown = {name: getattr(row, name) for name in (*names, *more)}
    page = row.get_absolute_url()
    return {"id": row.pk, "requested_by": row.requested_by.get_username(), "page": page, **shown}


def run(row: Run) -> dict[str, Any]:
    """A run with its steps and calls."""
    steps = [step(one) for one in row.steps.prefetch_related("calls")]
    return {**brief(row), "plan_id": row.plan.pk, "plan_digest": row.plan.digest, "steps": steps}


def step(row: Step) -> dict[str, Any]:
    names = ("key", "title", "kind", "state", "sentence", "progress_percent", "started_at", "finished_at")
    return {**{name: getattr(row, name) for name in names}, "calls": [call(one) for one in row.calls.all()]}


def call(row: Call) -> dict[str, Any]:
    names = ("attempt", "operation", "command_line", "outcome", "sentence", "intent_at", "outcome_at", "request_id")
    return {**{name: getattr(row, name) for name in names}, "sent_at": row.signed_at}


def entry(row: Entry) -> dict[str, Any]:
    names = ("seq", "at", "actor", "via", "verb", "subject", "environment", "reason", "incident", "run", "detail")
    return {name: getattr(row, name) for name in (*names, "prev_hash", "hash")}
