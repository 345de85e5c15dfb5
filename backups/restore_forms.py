"""What a restore may be asked for: its source, and any setting that shall not be as production's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator

from backups.carry_over import SETTINGS, Setting

AS_PRODUCTION = "as production"
NONE = "none"
WORDS = RegexValidator(r"^[\w.:/+=,@ -]*$", "Only letters, digits, spaces and . : / + = , @ - _ are allowed.")
FLAGS = (("", AS_PRODUCTION), ("yes", "yes"), ("no", "no"))
MOST_NUMBER = 2**31 - 1
HELP = {"list": f"Separated by commas; {NONE} for none.", "pairs": "As in coreCount=4, threadsPerCore=1."}


class SourceForm(forms.Form):
    """Which snapshot is restored."""

    snapshot = forms.CharField(
        max_length=255,
        required=False,
        validators=[WORDS],
        label="Snapshot",
        help_text="Its identifier, automated ones included. Empty: the newest that is available.",
    )
    kms_key = forms.CharField(
        max_length=512,
        required=False,
        validators=[WORDS],
        label="Encryption key",
        help_text="Empty: the snapshot's own. Another KMS key makes a copy of the snapshot first.",
    )


class MomentForm(forms.Form):
    """To which moment the database is restored."""

    at = forms.DateTimeField(
        label="Moment (UTC)",
        required=False,
        help_text="As in 2026-11-24 03:10:00, within what can be restored. Empty: the latest restorable moment.",
        widget=forms.DateTimeInput(attrs={"placeholder": "2026-11-24 03:10:00", "autocomplete": "off"}),
    )

    def clean_at(self) -> str:
        """The moment as text, as a plan keeps it."""
        at: datetime | None = self.cleaned_data["at"]
        return at.astimezone(UTC).isoformat() if at else ""


def setting_fields() -> dict[str, forms.Field]:
    """A field for each setting, empty where it shall be as production's."""
    return {setting.key: _field(setting) for setting in SETTINGS}


def _field(setting: Setting) -> forms.Field:
    if setting.kind == "flag":
        return forms.ChoiceField(choices=FLAGS, required=False, label=setting.label)
    if setting.kind == "number":
        bounds = [MinValueValidator(0), MaxValueValidator(MOST_NUMBER)]
        return forms.IntegerField(required=False, label=setting.label, validators=bounds)
    text = HELP.get(setting.kind, "")
    return forms.CharField(required=False, max_length=512, label=setting.label, validators=[WORDS], help_text=text)


def with_settings(form: type[forms.Form]) -> type[forms.Form]:
    """The form with a field for each setting behind its own."""
    return type(form.__name__, (form,), {"__doc__": form.__doc__, **setting_fields()})


def changes(params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that shall not be as production's, by key, as AWS wants them."""
    return {one.key: _value(one, params[one.key]) for one in SETTINGS if params.get(one.key) not in (None, "")}


def _value(setting: Setting, given: Any) -> Any:
    if setting.kind == "flag":
        return given == "yes"
    if setting.kind == "list":
        return [] if given == NONE else _parts(given)
    if setting.kind == "pairs":
        named = (part.partition("=") for part in _parts(given))
        return [{"Name": name.strip(), "Value": value.strip()} for name, _, value in named]
    return given


def _parts(given: str) -> list[str]:
    return sorted(part.strip() for part in given.split(",") if part.strip())
