"""The forms of incidents. Times are typed in UTC."""

from datetime import date
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q

from dashboard.models import Alert
from dashboard.services.base import services
from incidents.drafting import PAGE_WORDS
from incidents.follow_ups import refuse_past
from incidents.guard import Refused
from incidents.incident import CHANNELS
from incidents.models import FollowUp, Incident, Role, SlackPerson
from incidents.moments import TITLES
from incidents.postmortem.render import MAX_BYTES
from incidents.severity import LOSSES, REACHES, SEVERITIES, computed
from incidents.steps import StepKey
from novaops import environment
from novaops.environment import SERVICE_KINDS, Environment


def service_choices() -> list[tuple[str, str]]:
    """The services of Nova, by the names that the tiles have."""
    return [(kind, services[kind].title) for kind in SERVICE_KINDS]


class MomentField(forms.DateTimeField):
    """A moment typed in UTC, empty for now."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format="%Y-%m-%dT%H:%M:%S")
        super().__init__(widget=widget, required=False, **kwargs)


class ImpactForm(forms.Form):
    """Asks for the impact and computes the severity from it; a person may choose another one."""

    reach = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[(name, said) for name, (said, _) in REACHES.items()],
        required=False,
        label="Who notices",
    )
    loss = forms.ChoiceField(
        widget=forms.RadioSelect, choices=list(LOSSES.items()), required=False, label="Is data being lost", initial="no"
    )
    severity = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            ("", "As the impact above says"),
            *((severity.name, f"{severity.name}: {severity.meaning}") for severity in SEVERITIES.values()),
        ],
        required=False,
        help_text="When unsure, the higher one.",
    )

    def clean(self) -> dict[str, Any]:
        """Compute the severity where none was chosen."""
        said: dict[str, Any] = super().clean() or {}
        if said.get("severity"):
            return said
        if said.get("reach"):
            said["severity"] = computed(said["reach"], said.get("loss") or "no")
        else:
            self.add_error("reach", "Say who notices, or choose the severity.")
        return said


class DeclareForm(ImpactForm):
    """Declares an incident, from an alert or from what a person saw."""

    field_order = ("environment", "alert", "title", "reach", "loss", "severity", "services")

    environment = forms.ChoiceField(widget=forms.HiddenInput)
    alert = forms.ModelChoiceField(
        queryset=Alert.objects.none(),
        required=False,
        label="Because of",
        empty_label="What a person saw (say it below)",
    )
    title = forms.CharField(max_length=200, help_text="What is wrong, as a customer would say it.")
    services = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, choices=service_choices, label="Affected services"
    )
    impact = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Who notices what.")
    report = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="What was seen, by whom",
        help_text="Needed where no alert fired.",
    )
    started_at = MomentField(label="Began at (UTC)", help_text="Empty: when the alert's condition began, or now.")
    anyway = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = environment.environments()
        self.fields["environment"].choices = [(name, known.title) for name, known in names.items()]  # type: ignore[attr-defined]
        chosen = self.data.get("environment") or self.initial.get("environment")
        self.fields["alert"].queryset = Alert.objects.filter(environment=chosen, cleared_at=None)  # type: ignore[attr-defined]


class AffectedForm(forms.Form):
    """Sets what is affected and how; the verdict is attached by itself. `version` is the incident's that it shows."""

    title = forms.CharField(max_length=200, required=False, help_text="Empty: it stays.")
    services = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, choices=service_choices, label="Affected services"
    )
    impact = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="Who notices what.")
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class SeverityForm(ImpactForm):
    """Changes the severity, computed from the impact or chosen."""

    reason = forms.CharField(required=False, max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class OwnerForm(forms.Form):
    """Says who sees to a step."""

    owner = forms.ModelChoiceField(queryset=User.objects.none(), required=False, empty_label="nobody")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = User.objects.filter(is_active=True).order_by("username")  # type: ignore[attr-defined]


class MomentForm(forms.Form):
    """Sets a key moment to its true time."""

    name = forms.ChoiceField(choices=list(TITLES.items()), label="Moment")
    at = MomentField(label="Truly at (UTC)")
    reason = forms.CharField(max_length=300, label="Known from", help_text="Such as a log line, a graph, a customer.")
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].required = True


class ReportForm(forms.Form):
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), label="What was seen, by whom")
    at = MomentField(label="Seen at (UTC)", help_text="Empty: now.")


class MessageForm(forms.Form):
    """Records what people posted by hand, and where."""

    channel = forms.ChoiceField(choices=[one for one in CHANNELS.items() if one[0] != "update"], label="Posted to")
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), label="What was said")
    url = forms.URLField(required=False, label="Link to it", assume_scheme="https")


class TellForm(forms.Form):
    """The drafts, to be edited and sent together; an empty text sends nothing there."""

    slack = forms.CharField(
        required=False,
        max_length=3800,
        widget=forms.Textarea(attrs={"rows": 6, "data-send": True}),
        label="Slack message",
    )
    page_name = forms.CharField(required=False, max_length=200, label="Title on the status page")
    page_status = forms.ChoiceField(
        choices=[(status, status.capitalize()) for status in PAGE_WORDS], label="State on the status page"
    )
    page = forms.CharField(
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3, "data-send": True}),
        label="Status page update",
    )
    pagerduty = forms.BooleanField(required=False, label="Acknowledge at PagerDuty, and note it there")

    def __init__(self, *args: Any, place: Environment, at_pagerduty: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wanted = {
            "slack": place.slack is not None,
            **dict.fromkeys(["page_name", "page_status", "page"], place.status_page is not None),
            "pagerduty": place.pagerduty is not None and bool(at_pagerduty),
        }
        for name in [name for name, there in wanted.items() if not there]:
            del self.fields[name]


class RoleForm(forms.Form):
    """Gives a role, or hands command over."""

    role = forms.ChoiceField(choices=[("commander", "Commander"), *Role.Name.choices])
    user = forms.ModelChoiceField(queryset=User.objects.none(), label="Person")
    note = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="What the next commander must know",
        help_text="Goes with the summary when command is handed over.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = User.objects.filter(is_active=True).order_by("username")  # type: ignore[attr-defined]


class SlackPersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """Says which account a member of the Slack workspace has."""

    slack_user = forms.RegexField(
        regex=r"^[UW][A-Z0-9]{6,19}$",
        label="Member id in Slack",
        help_text="As in U024BE7LH: in Slack under the person's profile, Copy member ID.",
        error_messages={"invalid": "A member id begins with U or W, as in U024BE7LH."},
    )

    class Meta:
        model = SlackPerson
        fields = ["slack_user", "user"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = User.objects.filter(is_active=True).order_by("username")  # type: ignore[attr-defined]


class FollowUpForm(forms.ModelForm):  # type: ignore[type-arg]
    """Writes down a follow-up."""

    class Meta:
        model = FollowUp
        fields = ["title", "kind", "owner", "due"]
        widgets = {"due": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = Q(is_active=True) | Q(pk=self.instance.owner_id)
        self.fields["owner"].queryset = User.objects.filter(here).order_by("username")  # type: ignore[attr-defined]

    def clean_due(self) -> date | None:
        """A new date lies ahead; one that has passed may stay."""
        due: date | None = self.cleaned_data["due"]
        if "due" in self.changed_data:
            try:
                refuse_past(due)
            except Refused as refusal:
                raise forms.ValidationError(refusal.sentence) from refusal
        return due


def of_step(incident: Incident, key: str) -> dict[str, forms.Form]:
    """The forms that mend what a step lacks, by their names in the template."""
    if key == StepKey.DETECT:
        return {"report_form": ReportForm()}
    if key == StepKey.ASSESS:
        shown = {"title": incident.title, "services": incident.services, "impact": incident.impact}
        graded = {"severity": incident.severity, "version": incident.version}
        affected = AffectedForm(initial={**shown, "version": incident.version}, auto_id="affected-%s")
        return {"affected_form": affected, "severity_form": SeverityForm(initial=graded, auto_id="severity-%s")}
    return {"message_form": MessageForm()} if key == StepKey.COMMUNICATE else {}


class PostmortemForm(forms.Form):
    """The editor's text and the version it was opened at."""

    text = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 30, "spellcheck": "true"}),
        strip=False,
        max_length=MAX_BYTES,
        label="Markdown",
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    # The page of the editor, of which one person may have several open.
    tab = forms.CharField(widget=forms.HiddenInput, required=False, max_length=36)
