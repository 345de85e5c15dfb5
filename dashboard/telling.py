"""Tells people of alerts in Slack: what, since when, who says so, what may help, where to look. Muted ones wait."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from dashboard import quiet, rehearsals
from dashboard.models import Alert, AlertState, Severity
from dashboard.services.base import services
from dashboard.signals import alert_cleared, alert_fired, alert_reopened
from novaops import environment as declared
from novaops.environment import Environment
from novaops.outbox.models import Message
from novaops.outbox.posting import SlackText, post
from novaops.runbook.registry import actions

SIGNS = {Severity.CRIT: "✖ Critical", Severity.WARN: "▲ Degraded"}
OVER = "✔ Over"
MOST_OFFERS = 3


def connect() -> None:
    """Listen; called once, when the apps are ready."""
    alert_fired.connect(on_fired, dispatch_uid="dashboard.tell_fired")
    alert_reopened.connect(on_reopened, dispatch_uid="dashboard.tell_reopened")
    alert_cleared.connect(on_cleared, dispatch_uid="dashboard.tell_cleared")


def on_fired(*, alert: Alert, **_: Any) -> None:
    """Tell of a new alert, unless it is muted."""
    environment = _told_in(alert)
    if environment and not quiet.why_muted(alert, timezone.now()):
        _tell(alert, environment)


def on_reopened(*, alert: Alert, **_: Any) -> None:
    """Say in the thread that it fires again; one that nobody was told of is told as a new one."""
    environment = _told_in(alert)
    if environment is None or quiet.why_muted(alert, timezone.now()):
        return
    if not _was_told(alert):
        _tell(alert, environment)
        return
    _reply(alert, environment, f"reopened:{alert.flaps}", f"{_sign(alert)} again: {alert.sentence}")


def on_cleared(*, alert: Alert, **_: Any) -> None:
    """Say in the thread that it is over, where people were told that it began."""
    environment = _told_in(alert)
    if environment and _was_told(alert) and not quiet.why_muted(alert, timezone.now()):
        lasted = _lasted(alert)
        _reply(alert, environment, f"cleared:{alert.flaps}", f"{OVER}: {alert.title}, {lasted}")


def catch_up() -> None:
    """Tell of what still fires and was muted when it began: the silence is over and the trouble is not."""
    firing = list(Alert.objects.filter(state=AlertState.FIRING))
    told = set(Message.objects.filter(idempotency_key__in=map(_key, firing)).values_list("idempotency_key", flat=True))
    for alert in firing:
        if _key(alert) not in told:
            with transaction.atomic():
                on_fired(alert=alert)


def _told_in(alert: Alert) -> Environment | None:
    environment = declared.get(alert.environment)
    return environment if environment and environment.slack else None


def _was_told(alert: Alert) -> bool:
    return Message.objects.filter(idempotency_key=_key(alert)).exists()


def _key(alert: Alert, what: str = "fired") -> str:
    return f"alert:{alert.pk}:{what}"


def _tell(alert: Alert, environment: Environment) -> None:
    lane, subject = f"alert:{alert.pk}", f"{alert.title} in {environment.title}"
    text = SlackText(text=_marked("\n".join(_lines(alert, environment)), environment))
    post(text, environment=environment, key=_key(alert), subject=subject, lane=lane)


def _reply(alert: Alert, environment: Environment, what: str, text: str) -> None:
    post(
        SlackText(text=_marked(text, environment), reply=True),
        environment=environment,
        key=_key(alert, what),
        subject=f"{alert.title} in {environment.title}",
        lane=f"alert:{alert.pk}",
    )


def _marked(text: str, environment: Environment) -> str:
    return f"{rehearsals.MARK}{text}" if rehearsals.go_on(environment) else text


def _lines(alert: Alert, environment: Environment) -> Iterator[str]:
    service = services[alert.service].title
    yield f"{_sign(alert)}: {alert.title} · {service} · {environment.title}"
    yield alert.sentence
    yield f"Since {alert.started_at:%H:%M:%S} UTC · told by {alert.source}"
    yield f"{settings.OWN_URL}{alert.get_absolute_url()}"
    suggested = list(_suggested(alert, environment))
    if suggested:
        yield "What may help:"
        yield from suggested


def _suggested(alert: Alert, environment: Environment) -> Iterator[str]:
    """The first actions that the rule offers, each with where it is planned; nothing runs by opening it."""
    rule = services[alert.service].every_rule().get(alert.rule)
    known = [actions[key]() for key in (rule.offers if rule else ()) if key in actions]
    for action in [one for one in known if one.applies(environment)][:MOST_OFFERS]:
        place = urlencode({"environment": environment.name, "target": action.targets(environment)[0]})
        yield f"• {action.title}: {settings.OWN_URL}{reverse('runbook:new', args=[action.key])}?{place}"


def _sign(alert: Alert) -> str:
    return SIGNS[Severity(alert.severity)]


def _lasted(alert: Alert) -> str:
    """As in `fired for 14 min`."""
    seconds = ((alert.cleared_at or timezone.now()) - alert.fired_at).total_seconds()
    return f"fired for {seconds / 60:.0f} min" if seconds >= 90 else f"fired for {seconds:.0f} s"
