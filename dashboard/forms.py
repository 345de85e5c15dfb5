"""What the pages of alerts ask: filters, a silence, a window of maintenance."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from dashboard.models import AlertState, Severity, Witness
from dashboard.services.base import services

ANY = ("", "Any")
# How long a silence lasts: short ones, so that none outlives what it was for.
LENGTHS = (("30", "30 minutes"), ("60", "1 hour"), ("240", "4 hours"), ("1440", "1 day"), ("10080", "7 days"))
FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S")


def kinds() -> list[tuple[str, str]]:
    """The services by kind and name."""
    return [(kind, service.title) for kind, service in services.items()]


def watched_of_nova() -> list[tuple[str, str]]:
    """The services of Nova, which have a tile each: NovaOps itself is none of them."""
    return [(kind, service.title) for kind, service in services.items() if service.tile]


class AlertFilters(forms.Form):
    """Which alerts are shown."""

    state = forms.ChoiceField(choices=[ANY, *AlertState.choices], required=False)
    service = forms.ChoiceField(choices=lambda: [ANY, *kinds()], required=False)
    severity = forms.ChoiceField(choices=[ANY, *Severity.choices], required=False)
    witness = forms.ChoiceField(choices=[ANY, *Witness.Source.choices], required=False, label="Told by")
    rule = forms.CharField(max_length=60, required=False)


class SilenceForm(forms.Form):
    """For how long nobody is told, and why."""

    minutes = forms.ChoiceField(choices=LENGTHS, label="For how long?")
    reason = forms.CharField(
        max_length=300,
        min_length=5,
        label="Why?",
        help_text="For the audit, and for whoever wonders why it was quiet.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def asked(self) -> dict[str, Any]:
        """The silence as it was asked for."""
        length = timedelta(minutes=int(self.cleaned_data["minutes"]))
        return {"reason": self.cleaned_data["reason"], "ends_at": timezone.now() + length}


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=FORMATS[0])
    return forms.DateTimeField(label=label, input_formats=FORMATS, widget=widget)


class MaintenanceForm(forms.Form):
    """Which service is worked on, from when until when, and why."""

    service = forms.ChoiceField(choices=watched_of_nova)
    starts_at = _moment("From (UTC)")
    ends_at = _moment("Until (UTC)")
    reason = forms.CharField(
        max_length=300, min_length=5, label="Why?", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    @staticmethod
    def soon(now: datetime) -> dict[str, datetime]:
        """The next hour, as a beginning."""
        start = now.replace(second=0, microsecond=0)
        return {"starts_at": start, "ends_at": start + timedelta(hours=1)}
