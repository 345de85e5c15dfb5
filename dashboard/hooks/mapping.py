"""Which service and rule a name from outside means: by the table `alarms` of nova.toml, else by what was measured."""

import re
from collections.abc import Mapping
from hashlib import sha256

from dashboard.services.base import Rule, Service, services
from novaops.environment import Environment

LONGEST_RULE = 60
# What measures which service; Nova's own namespace is the event processor's.
NAMESPACES = {
    "AWS/ApplicationELB": "api",
    "AWS/EC2": "api",
    "AWS/AutoScaling": "api",
    "AWS/RDS": "database",
    "AWS/ElastiCache": "cache",
}


def rule_of(key: str, environment: Environment) -> tuple[Service, Rule] | None:
    """The rule of that key as the environment has it, with its service."""
    found = ((service, rule) for service in services.values() for rule in service.rules_in(environment))
    return next(((service, rule) for service, rule in found if rule.key == key), None)


def rule_named(name: str, environment: Environment) -> str:
    """The key of the rule that an alarm of exactly that name means; empty where nova.toml says nothing."""
    return environment.alarms.get(name, "")


def rule_mentioned(title: str, environment: Environment) -> str:
    """The key of the rule whose alarm is named in the title; the longest name wins. Empty where none is."""
    named = [
        name for name in environment.alarms if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", title, re.IGNORECASE)
    ]
    return environment.alarms[max(named, key=len)] if named else ""


def service_measured(namespace: str, dimensions: Mapping[str, str], environment: Environment) -> str:
    """The kind of service that a CloudWatch metric is of; empty where that cannot be told."""
    if namespace == environment.events.metric_namespace:
        return "events"
    if namespace in ("AWS/ECS", "ECS/ContainerInsights"):
        named = {environment.api.target: "api", environment.events.target: "events"}
        return named.get(dimensions.get("ServiceName", ""), "")
    return NAMESPACES.get(namespace, "")


def own_key(name: str) -> str:
    """What an alarm without a rule of ours is known by among alerts."""
    if len(name) <= LONGEST_RULE:
        return name
    return f"{name[: LONGEST_RULE - 9]}-{sha256(name.encode()).hexdigest()[:8]}"
