"""One trouble is one alert, whoever tells of it: our own rule, a CloudWatch alarm, PagerDuty, a program of ours."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from dashboard.hooks import mapping
from dashboard.models import Alert, AlertState, Severity, Witness
from dashboard.services.base import Rule, Service
from dashboard.signals import alert_cleared, alert_fired, alert_reopened
from novaops import live
from novaops.environment import Environment

# Any constant works: it only has to be the same for everybody who changes alerts.
LOCK = 4_158_202


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What one witness from outside says: of which rule or, without one, of which service.

    `begins`: whether it may begin an alert, or only join one.
    """

    environment: Environment
    source: Witness.Source
    name: str
    firing: bool
    at: datetime
    sentence: str
    rule: str = ""
    service: str = ""
    resource: str = ""
    threshold: float | None = None
    url: str = ""
    begins: bool = True


def hold(environment: str) -> None:
    """Let nobody else change the environment's alerts until the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, environment])


def tell(notice: Notice) -> tuple[Alert | None, str]:
    """Let the notice begin, join or end an alert; returns it and a sentence on what happened. Needs `hold`."""
    found = mapping.rule_of(notice.rule, notice.environment) if notice.rule else None
    if found is None and not notice.service:
        return None, f"The table alarms of nova.toml names no rule for it: {notice.name}: {notice.sentence}"
    key = found[1].key if found else mapping.own_key(notice.name)
    return _began(notice, key, found) if notice.firing else _over(notice, key)


def _began(notice: Notice, key: str, found: tuple[Service, Rule] | None) -> tuple[Alert | None, str]:
    resource = notice.resource if found is None or _per_node(*found, notice.environment) else ""
    alert = firing(notice.environment.name, key, resource)
    if alert is None and not notice.begins:
        return None, "Nothing fires that it could be a witness of"
    signal = alert_fired if alert is None else None
    if alert is None and found and (alert := _reopened(notice, *found, resource)):
        signal = alert_reopened
    alert = alert or _created(notice, key, resource, found)
    witness(alert, notice.source, notice.name, notice.sentence, notice.at, url=notice.url)
    if signal:
        signal.send(sender=Alert, alert=alert)
    live.publish(f"overview:{notice.environment.name}")
    return alert, "An alert began" if signal else "It is one more witness of an alert"


def _reopened(notice: Notice, service: Service, rule: Rule, resource: str) -> Alert | None:
    """The alert of the rule that cleared so lately that this is the same trouble; it fires again."""
    now = timezone.now()
    name = dedup_key(notice.environment.name, service.kind, rule.key, resource)
    cleared = Alert.objects.filter(dedup_key=name, state=AlertState.CLEARED)
    alert = cleared.filter(cleared_at__gte=now - timedelta(seconds=rule.flap_s)).first()
    if alert:
        alert.state, alert.cleared_at, alert.reopened_at, alert.flaps = AlertState.FIRING, None, now, alert.flaps + 1
        alert.save()
    return alert


def _per_node(service: Service, rule: Rule, environment: Environment) -> bool:
    found = (series for series in service.series_in(environment) if series.name == rule.series)
    return any(series.per_node or series.resources for series in found)


def _created(notice: Notice, key: str, resource: str, found: tuple[Service, Rule] | None) -> Alert:
    service, rule = found or (None, None)
    # The verdict says this alone, and what the source says names neither the service nor the trouble.
    trouble = f"{service.title}: {rule.title}, says " if service and rule else ""
    kind = service.kind if service else notice.service
    return Alert.objects.create(
        environment=notice.environment.name,
        service=kind,
        rule=key,
        resource=resource,
        title=rule.title if rule else notice.name[:120],
        severity=rule.severity if rule else Severity.WARN,
        source=notice.source.label,
        sentence=f"{trouble}{notice.source.label}: {notice.sentence}",
        threshold=rule.threshold if rule else notice.threshold,
        dedup_key=dedup_key(notice.environment.name, kind, key, resource),
        started_at=notice.at,
        fired_at=timezone.now(),
    )


def _over(notice: Notice, key: str) -> tuple[Alert | None, str]:
    standing = Witness.objects.select_related("alert").filter(
        alert__environment=notice.environment.name,
        alert__rule=key,
        alert__state=AlertState.FIRING,
        source=notice.source,
        name=notice.name,
        ended_at=None,
    )
    one = standing.first()
    if one is None:
        return None, "Nothing fires that it witnessed"
    cleared = end(one.alert, notice.source, notice.name, notice.at, sentence=notice.sentence)
    live.publish(f"overview:{notice.environment.name}")
    return one.alert, "The alert is over" if cleared else "It is over for this witness, not for the others"


def dedup_key(environment: str, service: str, rule: str, resource: str) -> str:
    """What makes two firings the same alert."""
    return ":".join((environment, service, rule, resource))


def firing(environment: str, rule: str, resource: str) -> Alert | None:
    """The firing alert of that trouble: of the same node, or where one of the two does not say of which."""
    found = Alert.objects.filter(environment=environment, rule=rule, state=AlertState.FIRING).order_by("fired_at", "id")
    near = [alert for alert in found if resource in ("", alert.resource) or not alert.resource]
    return min(near, key=lambda alert: alert.resource != resource, default=None)


def witness(alert: Alert, source: str, name: str, sentence: str, at: datetime, *, url: str = "") -> None:
    """Let a witness of the alert stand; one that stood before stands again."""
    known = Witness.objects.filter(alert=alert, source=source, name=name).first()
    if known is None:
        Witness.objects.create(alert=alert, source=source, name=name, sentence=sentence, since=at, url=url)
        return
    known.sentence, known.since = sentence, known.since if known.ended_at is None else at
    known.ended_at = None
    known.save(update_fields=["sentence", "since", "ended_at"])


def end(alert: Alert, source: str, name: str, at: datetime, *, sentence: str = "") -> bool:
    """Let a witness stand no more, and the alert clear where no other measures the trouble still."""
    said = {"sentence": sentence} if sentence else {}
    alert.witnesses.filter(source=source, name=name, ended_at=None).update(ended_at=at, **said)
    standing = list(alert.witnesses.filter(ended_at=None).values_list("source", flat=True))
    # A ticket stays open until somebody closes it: it does not outweigh a measurement that says it is over.
    if any(one != Witness.Source.PAGERDUTY for one in standing) or (standing and source == Witness.Source.PAGERDUTY):
        return False
    clear(alert, max(at, alert.fired_at))
    return True


def only_outside(alert: Alert) -> bool:
    """Whether our own rule does not say so now, and others do."""
    standing = set(alert.witnesses.filter(ended_at=None).values_list("source", flat=True))
    return bool(standing) and Witness.Source.RULE not in standing


def clear(alert: Alert, now: datetime) -> None:
    """The alert is over, whoever witnessed it."""
    alert.witnesses.filter(ended_at=None).update(ended_at=now)
    alert.state, alert.cleared_at = AlertState.CLEARED, now
    alert.save(update_fields=["state", "cleared_at"])
    alert_cleared.send(sender=Alert, alert=alert)
