"""What a page sends to make a plan and to confirm it."""

from typing import Any

from django import forms
from django.http import QueryDict

from novaops import environment as environments
from novaops.environment import Environment
from novaops.runbook.action import Action
from novaops.runbook.requests import REASON_LENGTH


class PlaceForm(forms.Form):
    """Where an action is to run: the environment, the target and the incident it belongs to."""

    environment = forms.CharField(max_length=40)
    target = forms.CharField(max_length=255)
    incident = forms.IntegerField(required=False, min_value=1)

    def clean_environment(self) -> Environment:
        """The declared environment of that name."""
        name = self.cleaned_data["environment"]
        found = environments.get(name)
        if found is None:
            declared = ", ".join(environments.environments())
            raise forms.ValidationError(f"There is no environment {name!r}: use {declared}.")
        return found


class ConfirmForm(forms.Form):
    """The reason why a plan is run."""

    reason = forms.CharField(
        max_length=REASON_LENGTH,
        label="Why?",
        help_text="A few words for the audit and the post-mortem.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def params_form(action: Action, data: QueryDict | dict[str, Any] | None) -> forms.Form:
    """The action's own form, bound where there is data."""
    return action.form(data)
