"""What the pages of backups show: the filters and what they find, and what can be done about a database or snapshot."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest

from backups import claims, collect, policy
from backups.actions.delete_copies import DeleteCopies
from backups.claims import Claim
from backups.models import Restore, Snapshot
from novaops import environment as environments
from novaops import live
from novaops.access.decorators import user_of
from novaops.environment import Environment
from novaops.runbook import offers
from novaops.runbook.models import Run
from novaops.runbook.offers import Offer
from novaops.runbook.registry import actions

SNAPSHOTS_A_PAGE = 25
# How often an open page's clocks are drawn anew although nothing was read.
REDRAWN_EVERY_S = 10


@dataclass(frozen=True, kw_only=True)
class Row:
    """A snapshot in the list, with its state and word."""

    snapshot: Snapshot
    state: str
    word: str


State = Callable[[Environment, datetime], Q]
# What may be asked for as `state`, its words and its condition. Where nothing is asked for, what is gone is left out.
STATES: dict[str, tuple[str, State]] = {
    "good": ("Good", lambda _place, _now: Q(gone_at=None, status="available")),
    "unfinished": ("Under way", lambda _place, _now: Q(gone_at=None) & ~Q(status__in=("available", "failed"))),
    "failed": ("Failed", lambda _place, _now: Q(gone_at=None, status="failed")),
    "unencrypted": ("Unencrypted", lambda _place, _now: Q(gone_at=None, encrypted=False)),
    "old": ("Old manual ones", lambda _place, now: Q(gone_at=None, kind="manual", expires_at__lt=now)),
    "expiring": (
        "About to expire",
        lambda _place, now: Q(gone_at=None, expires_at__gte=now, expires_at__lt=now + policy.EXPIRES_SOON),
    ),
    "copies": ("Copies elsewhere", lambda place, _now: Q(gone_at=None) & ~Q(region=place.region)),
    "gone": ("Gone", lambda _place, _now: Q(gone_at__isnull=False)),
}
# Of databases that nova.toml names no more, as they were last told; every other state leaves them out.
LEFT = "left"
KINDS = ("automated", "manual")


def environment_of(request: HttpRequest) -> Environment:
    """The environment that the address names, the first declared where it names none."""
    asked = request.GET.get("environment", "")
    found = environments.get(asked) if asked else environments.default()
    if found is None:
        raise Http404(f"There is no environment {asked!r}.")
    return found


def declared_of(snapshot: Snapshot) -> Environment:
    """The declared environment that a snapshot belongs to."""
    found = environments.get(snapshot.database.environment)
    if found is None:
        raise Http404(f"The environment {snapshot.database.environment} is not declared any more.")
    return found


def revision(environment: Environment, now: datetime) -> str:
    """The revision of the list, which also moves with time; empty where Redis does not answer."""
    current = live.revision(collect.topic(environment.name))
    return f"{current}-{now.timestamp() // REDRAWN_EVERY_S:.0f}" if current else ""


def list_context(request: HttpRequest, environment: Environment, now: datetime) -> dict[str, Any]:
    """Everything that the list shows."""
    asked = {name: request.GET.get(name, "") for name in ("q", "database", "kind", "state")}
    found = _found(environment, asked, now).select_related("database")
    page = Paginator(found, SNAPSHOTS_A_PAGE).get_page(request.GET.get("page"))
    rows = (Row(snapshot=one, state=s, word=w) for one in page for s, w in [_state(one, environment, now)])
    return {
        "environment": environment,
        "standings": policy.standings(environment, now),
        "wanted": environment.backups,
        "page_obj": page,
        "rows": list(rows),
        "filters": {name: value for name, value in asked.items() if value},
        "states": {key: word for key, (word, _) in STATES.items()} | {LEFT: "Not watched any more"},
        "kinds": KINDS,
        "offers": _offers(user_of(request), environment),
        "tested": _last_test(environment),
    }


def _last_test(environment: Environment) -> Restore | None:
    """The newest restore of Nova's database that was proven."""
    proven = Restore.objects.filter(environment=environment.name, state=Restore.State.PROVEN)
    return proven.select_related("run").first()


def _state(snapshot: Snapshot, environment: Environment, now: datetime) -> tuple[str, str]:
    return policy.snapshot_state(snapshot, environment, now)


def _found(environment: Environment, asked: dict[str, str], now: datetime) -> "QuerySet[Snapshot]":
    found = Snapshot.objects.filter(database__environment=environment.name)
    found = found.filter(database__left_at__isnull=asked["state"] != LEFT)
    condition = STATES.get(asked["state"])
    found = found.filter(condition[1](environment, now) if condition else Q(gone_at=None))
    if asked["kind"] in KINDS:
        found = found.filter(kind=asked["kind"])
    if asked["database"]:
        found = found.filter(database__name=asked["database"])
    words = asked["q"].strip()
    told = Q(name__icontains=words) | Q(deployment__icontains=words) | Q(taken_by__icontains=words)
    return found.filter(told | Q(reason__icontains=words)) if words else found


def _offers(user: User, environment: Environment) -> list[Offer]:
    """The actions on backups, as this user may use them."""
    found = (offers.offer(user, key, environment) for key in sorted(actions) if _is_ours(key))
    return [one for one in found if one]


def _is_ours(key: str) -> bool:
    return actions[key].__module__.startswith("backups.")


def run_of(snapshot: Snapshot) -> Run | None:
    """The run that took it, where it is one of this NovaOps."""
    return Run.objects.filter(pk=snapshot.run or 0, environment=snapshot.database.environment).first()


def claims_on(snapshot: Snapshot, environment: Environment) -> list[Claim]:
    """Who still needs it."""
    return claims.of(environment).get(snapshot.name, [])


def offers_on(user: User, snapshot: Snapshot, environment: Environment) -> list[Offer]:
    """What can be done with it: the actions on backups that take a snapshot, in its region, by its name."""
    if not snapshot.is_good or snapshot.database.left_at:
        return []
    named = (key for key in sorted(actions) if _is_ours(key) and "snapshot" in actions[key].form.base_fields)
    abroad = snapshot.region != environment.region
    keys = [key for key in named if (key == DeleteCopies.key) == abroad]
    return [offer for key in keys if (offer := _offer_on(user, key, snapshot, environment))]


def _offer_on(user: User, key: str, snapshot: Snapshot, environment: Environment) -> Offer | None:
    """The action on the snapshot's database, or on what it makes of one where that is Nova's own."""
    name = snapshot.database.name
    targets = set(actions[key]().targets(environment))
    named, of_databases = name in targets, targets & {one.id for one in environment.kept_databases}
    if not named and (of_databases or name != environment.database.target):
        return None
    offer = offers.offer(user, key, environment, target=name if named else "")
    more = urlencode({"snapshot": snapshot.name})
    return replace(offer, url=f"{offer.url}&{more}") if offer else None
