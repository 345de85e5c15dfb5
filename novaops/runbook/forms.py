"""What a page sends to make a plan and to confirm it."""

from typing import Any

from django import forms
from django.http import QueryDict

from novaops import environment as environments
from novaops.environment import Environment
from novaops.runbook.action import Action, Risk
from novaops.runbook.models import Plan
from novaops.runbook.registry import actions
from novaops.runbook.requests import REASON_LENGTH

# What a PostgreSQL integer holds.
MAX_INTEGER = 2**31 - 1
# A plan is also confirmed beside other pages, whose forms have fields of the same names.
AUTO_ID = "confirm_%s"


class PlaceForm(forms.Form):
    """Where an action is to run: the environment, the target and the incident it belongs to."""

    environment = forms.CharField(max_length=40)
    target = forms.CharField(max_length=255)
    incident = forms.IntegerField(required=False, min_value=1, max_value=MAX_INTEGER)

    def clean_environment(self) -> Environment:
        """The declared environment of that name."""
        name = self.cleaned_data["environment"]
        found = environments.get(name)
        if found is None:
            declared = ", ".join(environments.environments())
            raise forms.ValidationError(f"There is no environment {name!r}: use {declared}.")
        return found


class ConfirmForm(forms.Form):
    """The reason why a plan is run; for what destroys, also the target's name typed by hand."""

    reason = forms.CharField(
        max_length=REASON_LENGTH,
        label="Why?",
        help_text="A few words for the audit and the post-mortem.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "enterkeyhint": "go"}),
    )


class DestructiveForm(ConfirmForm):
    """Confirms what cannot simply be undone."""

    typed_target = forms.CharField(
        max_length=255,
        label="Type the target's name",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )
    break_glass = forms.BooleanField(
        required=False,
        label="Break the glass: go without a second person",
        help_text="For a commander in an open SEV1, with a reason of 30 characters; marked in red everywhere.",
    )

    def __init__(self, data: QueryDict | None = None, *, target: str) -> None:
        super().__init__(data, auto_id=AUTO_ID)
        self.target = target
        self.fields["typed_target"].help_text = f"Exactly: {target}"

    def clean_typed_target(self) -> str:
        """The name as it must be typed."""
        typed = str(self.cleaned_data["typed_target"])
        if typed != self.target:
            raise forms.ValidationError(f"This is not {self.target}. Nothing happened.")
        return typed


def confirm_form(plan: Plan, data: QueryDict | None = None) -> ConfirmForm:
    """The form that confirms the plan, by the risk of its action."""
    destructive = actions[plan.action].risk is Risk.DESTRUCTIVE
    return DestructiveForm(data, target=plan.target) if destructive else ConfirmForm(data, auto_id=AUTO_ID)


def params_form(
    action: Action, data: QueryDict | dict[str, Any] | None, initial: dict[str, Any] | None = None
) -> forms.Form:
    """The action's own form, bound where there is data; otherwise with what is filled in beforehand."""
    return action.form(data, initial=initial)
