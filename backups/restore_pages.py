"""What the pages of restores show: the wizard's forms with production's settings, the records, and what is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.urls import reverse

from backups import beside, drills
from backups.actions.restore_snapshot import RestoreSnapshot
from backups.actions.restore_to_time import RestoreToTime
from backups.carry_over import SETTINGS
from backups.models import Database, Restore, Snapshot
from backups.names import RESTORED
from backups.restore_forms import AS_PRODUCTION, FLAGS
from backups.restoring import words
from novaops.access.decorators import user_of
from novaops.environment import Environment
from novaops.runbook import offers
from novaops.runbook.models import Plan
from novaops.runbook.offers import Offer

RECORDS_A_PAGE = 25
SNAPSHOTS_OFFERED = 100
TREND = 30


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to restore: its action's form, where it is sent, and how many fields come before the settings."""

    key: str
    title: str
    sentence: str
    url: str
    form: forms.Form
    own: list[Any]
    settings: list[Any]


def wizard_context(request: HttpRequest, environment: Environment) -> dict[str, Any]:
    """The ways there are, with what each may start from and production's settings as a plan last read them."""
    known, read_at = _production(environment)
    database = Database.objects.filter(environment=environment.name, name=environment.database.target).first()
    asked = {"snapshot": request.GET.get("snapshot", ""), "at": request.GET.get("at", "")}
    return {
        "environment": environment,
        "applies": RestoreSnapshot().applies(environment),
        "choices": [
            _from_snapshot(environment, known, asked),
            *([_to_time(database, known, asked)] if RestoreToTime().applies(environment) else []),
        ],
        "target": RESTORED,
        "incident": request.GET.get("incident", "") if request.GET.get("incident", "").isdecimal() else "",
        "database": database,
        "read_at": read_at,
    }


def _production(environment: Environment) -> tuple[Mapping[str, Any], Any]:
    """Production's settings by parameter as the newest plan of a restore read them; empty before the first."""
    keys = (RestoreSnapshot.key, RestoreToTime.key, drills.KEY)
    plans = Plan.objects.filter(environment=environment.name, action__in=keys, state=Plan.State.READY)
    newest = plans.order_by("-created_at").first()
    copied = newest.facts.get("production") if newest else None
    return (copied["has"], newest.resolved_at) if newest and copied else ({}, None)


def _from_snapshot(environment: Environment, known: Mapping[str, Any], asked: dict[str, str]) -> Choice:
    form = RestoreSnapshot.form(initial=asked, auto_id="snapshot_%s")
    good = Snapshot.objects.filter(
        database__environment=environment.name,
        database__name=environment.database.target,
        region=environment.region,
        status="available",
        gone_at=None,
    )[:SNAPSHOTS_OFFERED]
    named = [(one.name, f"{one.name} ({one.created_at:%d %b %H:%M} UTC)") for one in good if one.created_at]
    form.fields["snapshot"].widget = forms.Select(choices=[("", "The newest that is available"), *named])
    form.fields["snapshot"].help_text = ""
    return _choice(RestoreSnapshot, "From a snapshot", "The data as it was when the snapshot was taken.", form, known)


def _to_time(database: Database | None, known: Mapping[str, Any], asked: dict[str, str]) -> Choice:
    form = RestoreToTime.form(initial=asked, auto_id="time_%s")
    reach = "Any moment that the automated backups reach."
    if database and database.earliest_restorable_at and database.latest_restorable_at:
        first, last = (
            f"{at:%Y-%m-%d %H:%M:%S}" for at in (database.earliest_restorable_at, database.latest_restorable_at)
        )
        reach = f"Any moment from {first} to {last} UTC."
    return _choice(RestoreToTime, "To a point in time", reach, form, known)


def _choice(action: Any, title: str, sentence: str, form: forms.Form, known: Mapping[str, Any]) -> Choice:
    keys = {setting.key for setting in SETTINGS}
    for setting in SETTINGS:
        _hint(form.fields[setting.key], known.get(setting.name) if known else None, known=bool(known))
    return Choice(
        key=action.key,
        title=title,
        sentence=sentence,
        url=reverse("runbook:plan", args=[action.key]),
        form=form,
        own=[field for field in form if field.name not in keys],
        settings=[field for field in form if field.name in keys],
    )


def _hint(field: forms.Field, value: Any, *, known: bool) -> None:
    """Show production's value where nothing is filled in."""
    if isinstance(field, forms.ChoiceField):
        word = f"{AS_PRODUCTION} ({'yes' if value else 'no'})" if known else AS_PRODUCTION
        field.choices = [("", word), *FLAGS[1:]]
        return
    field.widget.attrs["placeholder"] = words(value) if known else AS_PRODUCTION


def records_context(request: HttpRequest, environment: Environment) -> dict[str, Any]:
    """Restores and drills, newest first, the trend of the drills, and the instances that are left."""
    records = Restore.objects.filter(environment=environment.name).select_related("run", "run__requested_by")
    past = list(records.filter(drill=True, state=Restore.State.PROVEN)[:TREND])[::-1]
    user = user_of(request)
    found = (offers.offer(user, key, environment) for key in (drills.KEY, RestoreSnapshot.key, RestoreToTime.key))
    return {
        "environment": environment,
        "page_obj": Paginator(records, RECORDS_A_PAGE).get_page(request.GET.get("page")),
        "rto": [one.rto_s for one in past],
        "rpo": [one.rpo_s for one in past],
        "drill": drills.last(environment),
        "due_at": drills.due_at(environment),
        "every_days": environment.backups.drill_every_days,
        "offers": [one for one in found if one],
        "beside": beside_rows(request, environment),
    }


@dataclass(frozen=True, kw_only=True)
class Row:
    """A restored instance with what can be done about it."""

    standing: beside.Standing
    delete: Offer | None
    cut_over: str


def beside_rows(request: HttpRequest, environment: Environment) -> list[Row]:
    """Every restored instance that is there."""
    user = user_of(request)
    return [
        Row(
            standing=one,
            delete=offers.offer(user, "delete-restored", environment, target=one.instance.name),
            cut_over=_cut_over(environment, one),
        )
        for one in beside.standings(environment)
    ]


def _cut_over(environment: Environment, one: beside.Standing) -> str:
    """Where a cut-over to it begins; empty where nothing declares how, or it is not ready."""
    if environment.database.url is None or not one.left_over or one.instance.status != "available":
        return ""
    query = urlencode({"environment": environment.name, "instance": one.instance.name})
    return f"{reverse('runbook:new', args=['cut-over'])}?{query}"
