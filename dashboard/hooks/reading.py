"""What a kept message says: which trouble it speaks of, and whether that began or is over."""

from collections.abc import Callable
from typing import Any

from dashboard import witnesses
from dashboard.hooks import mapping, pagerduty, sns
from dashboard.hooks.letters import Unreadable, document, field, instant, number, text
from dashboard.hooks.models import Delivery, Subscription
from dashboard.models import Witness
from dashboard.witnesses import Notice
from novaops import environment as declared
from novaops.environment import SERVICE_KINDS, Environment

# What PagerDuty says of an incident's state, and whether it goes on.
GOES_ON = {"triggered": True, "acknowledged": True, "resolved": False}
# That somebody acknowledges a ticket late begins nothing anew.
BEGINS = ("incident.triggered", "incident.reopened")
Told = Notice | str


def use(delivery: Delivery) -> None:
    """Let the message have its effect, in the caller's transaction; `delivery` then says which. Raises Unreadable."""
    environment = declared.get(delivery.environment)
    if environment is None:
        delivery.conclude(Delivery.State.IGNORED, "Its environment is not declared any more")
        return
    told = _reader(delivery.source)(environment, document(bytes(delivery.body)), delivery)
    if isinstance(told, str):
        delivery.conclude(Delivery.State.IGNORED, told)
        return
    delivery.subject, delivery.told_at = told.name, told.at
    # Held from here on: whether something newer was told must not change before this has had its effect.
    witnesses.hold(environment.name)
    if _newer_told(delivery):
        delivery.conclude(Delivery.State.IGNORED, "Something newer was told of it already")
        return
    delivery.alert, outcome = witnesses.tell(told)
    delivery.conclude(Delivery.State.USED if delivery.alert else Delivery.State.IGNORED, outcome)


def _reader(source: str) -> Callable[[Environment, dict[str, Any], Delivery], Told]:
    return {sns.SOURCE: of_sns, pagerduty.SOURCE: of_pagerduty}.get(source, of_sender)


def _newer_told(delivery: Delivery) -> bool:
    read = Delivery.objects.exclude(state=Delivery.State.WAITING).exclude(pk=delivery.pk)
    same = read.filter(source=delivery.source, subject=delivery.subject, environment=delivery.environment)
    return same.filter(told_at__gt=delivery.told_at).exists()


def of_sns(environment: Environment, found: dict[str, Any], delivery: Delivery) -> Told:
    """A CloudWatch alarm inside a notification, or inside a queue's message as it is."""
    kind = found.get("Type")
    if kind == sns.CONFIRMATION and delivery.via == "https":
        return _asked_to_subscribe(environment, found, delivery)
    if kind == sns.FAREWELL:
        return "Its topic has unsubscribed this address: nothing more will come from it"
    alarm = document(str(found.get("Message", "")).encode(errors="replace")) if kind == sns.NOTIFICATION else found
    if "AlarmName" not in alarm:
        return "It is not a CloudWatch alarm"
    return _of_alarm(environment, alarm, delivery)


def _asked_to_subscribe(environment: Environment, found: dict[str, Any], delivery: Delivery) -> str:
    asked = {
        "environment": environment.name,
        "token": text(found["Token"], 1000, needed="Token"),
        "state": Subscription.State.ASKED,
        "sentence": "",
        "asked_at": delivery.received_at,
    }
    Subscription.objects.update_or_create(topic=found["TopicArn"], defaults=asked)
    return "Its topic asks to be confirmed"


def _of_alarm(environment: Environment, alarm: dict[str, Any], delivery: Delivery) -> Told:
    name, state = text(alarm["AlarmName"], 255, needed="AlarmName"), alarm.get("NewStateValue")
    if field(alarm, "AWSAccountId") not in (None, environment.account_id):
        return f"The alarm {name} is of another account"
    if state == "INSUFFICIENT_DATA":
        return f"CloudWatch has no data to judge {name} by"
    if state not in ("ALARM", "OK"):
        raise Unreadable("NewStateValue is neither ALARM nor OK")
    dimensions = _dimensions(field(alarm, "Trigger", "Dimensions"))
    namespace = text(field(alarm, "Trigger", "Namespace"), 255)
    rule = mapping.rule_named(name, environment)
    return Notice(
        environment=environment,
        source=Witness.Source.CLOUDWATCH,
        name=name,
        rule=rule,
        service=mapping.service_measured(namespace, dimensions, environment),
        resource=dimensions.get("CacheClusterId", ""),
        firing=state == "ALARM",
        at=instant(alarm.get("StateChangeTime"), "StateChangeTime", delivery.received_at),
        sentence=text(alarm.get("NewStateReason"), 500) or f"The alarm {name} is in the state {state}",
        threshold=number(field(alarm, "Trigger", "Threshold")),
    )


def _dimensions(found: Any) -> dict[str, str]:
    pairs = found if isinstance(found, list) else []
    named = [(text(field(one, "name"), 255), text(field(one, "value"), 120)) for one in pairs if isinstance(one, dict)]
    return {name: value for name, value in named if name}


def of_pagerduty(environment: Environment, found: dict[str, Any], delivery: Delivery) -> Told:
    """What an incident of PagerDuty is now, whatever the event was."""
    event, data = field(found, "event"), field(found, "event", "data")
    if not isinstance(event, dict) or not isinstance(data, dict):
        raise Unreadable("event or event.data is missing")
    kind = text(event.get("event_type"), 80, needed="event_type")
    status = text(data.get("status"), 40)
    if event.get("resource_type") != "incident" or status not in GOES_ON:
        return f"Nothing follows from {kind}"
    expected = environment.contacts.pagerduty_service_id
    if expected and field(data, "service", "id") != expected:
        return "It is of a service that nova.toml does not name"
    title, ident = text(data.get("title"), 300), text(data.get("id"), 80, needed="the incident's id")
    return Notice(
        environment=environment,
        source=Witness.Source.PAGERDUTY,
        name=ident,
        rule=mapping.rule_mentioned(f"{title} {text(data.get('incident_key'), 255)}", environment),
        firing=GOES_ON[status],
        at=instant(event.get("occurred_at"), "occurred_at", delivery.received_at),
        sentence=f"{status.capitalize()}: {title}" if title else status.capitalize(),
        url=_address(data.get("html_url")),
        begins=kind in BEGINS,
    )


def of_sender(environment: Environment, found: dict[str, Any], delivery: Delivery) -> Told:
    """What a program of ours says: {name, state: firing or cleared, at, sentence, and maybe service, resource, url}."""
    name, state, service = text(found.get("name"), 120, needed="name"), found.get("state"), found.get("service", "")
    if state not in ("firing", "cleared"):
        raise Unreadable("state is neither firing nor cleared")
    if service not in ("", *SERVICE_KINDS):
        raise Unreadable(f"service is none of {', '.join(SERVICE_KINDS)}")
    at = found.get("at")
    return Notice(
        environment=environment,
        source=Witness.Source.SENDER,
        name=f"{delivery.source}: {name}",
        rule=mapping.rule_named(name, environment),
        service=service,
        resource=text(found.get("resource"), 120),
        firing=state == "firing",
        at=instant(at, "at", delivery.received_at) if at is not None else delivery.received_at,
        sentence=text(found.get("sentence"), 500) or f"{name} is {state}",
        url=_address(found.get("url")),
    )


def _address(value: Any) -> str:
    """An address to link to: HTTPS, or none."""
    found = text(value, 400)
    return found if found.startswith("https://") and " " not in found else ""
