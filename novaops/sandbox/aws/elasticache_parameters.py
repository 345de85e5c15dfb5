"""Cache parameter groups of the simulated ElastiCache: the default ones, which nobody can change, and custom ones."""

import re
from dataclasses import dataclass, field

from novaops.sandbox.aws.elasticache_model import Group, announce, events, groups
from novaops.sandbox.aws.query import Document, is_true, page
from novaops.sandbox.aws.wire import AwsError, Params, arn
from novaops.sandbox.world import world

FAMILIES = ("redis6.x", "redis7", "valkey7", "valkey8")
IMMEDIATE, REBOOT = "immediate", "requires-reboot"
POLICIES = "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction"
MOST_CHANGES = 20
APPLIED_AFTER_S = 15
NAME = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9]){0,254}")

PARAMETERS: dict[str, tuple[str, str, str, bool, str]] = {
    # name: (value, data type, allowed values, modifiable, change type)
    "activedefrag": ("no", "string", "yes,no", True, IMMEDIATE),
    "appendonly": ("no", "string", "yes,no", False, IMMEDIATE),
    "cluster-enabled": ("no", "string", "yes,no", False, REBOOT),
    "databases": ("16", "integer", "1-1200000", True, REBOOT),
    "lazyfree-lazy-eviction": ("no", "string", "yes,no", True, IMMEDIATE),
    "lfu-decay-time": ("1", "integer", "0-", True, IMMEDIATE),
    "lfu-log-factor": ("10", "integer", "1-", True, IMMEDIATE),
    "maxclients": ("65000", "integer", "1-65000", False, REBOOT),
    "maxmemory-policy": ("volatile-lru", "string", POLICIES, True, IMMEDIATE),
    "maxmemory-samples": ("3", "integer", "1-", True, IMMEDIATE),
    "notify-keyspace-events": ("", "string", "", True, IMMEDIATE),
    "reserved-memory-percent": ("25", "integer", "0-100", True, IMMEDIATE),
    "slowlog-log-slower-than": ("10000", "integer", "-1-", True, IMMEDIATE),
    "slowlog-max-len": ("128", "integer", "0-", True, IMMEDIATE),
    "tcp-keepalive": ("300", "integer", "0-", True, IMMEDIATE),
    "timeout": ("0", "integer", "0-", True, IMMEDIATE),
}


@dataclass
class ParameterGroup:
    """One cache parameter group: what its owner set over the defaults of its family."""

    name: str
    family: str
    description: str
    own: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, str]:
        return {name: default[0] for name, default in PARAMETERS.items()} | self.own

    def described(self) -> Document:
        """The CacheParameterGroup document."""
        return {
            "CacheParameterGroupName": self.name,
            "CacheParameterGroupFamily": self.family,
            "Description": self.description,
            "IsGlobal": False,
            "ARN": arn("elasticache", f"parametergroup:{self.name}"),
        }


custom: dict[str, ParameterGroup] = {}


def find_parameters(name: str) -> ParameterGroup:
    """The parameter group of that name, the default one of a family included."""
    family = name.removeprefix("default.")
    if name != family and family in FAMILIES:
        return ParameterGroup(name, family, f"Default parameter group for {family}")
    if name not in custom:
        raise AwsError("CacheParameterGroupNotFound", f"CacheParameterGroup not found: {name}")
    return custom[name]


def describe_cache_parameter_groups(params: Params) -> Document:
    """DescribeCacheParameterGroups: the default ones and the custom ones, or the named one."""
    names = [params["CacheParameterGroupName"]] if params.get("CacheParameterGroupName") else [
        *(f"default.{family}" for family in FAMILIES), *custom
    ]  # fmt: skip
    return page([find_parameters(name).described() for name in names], params, "CacheParameterGroups")


def describe_cache_parameters(params: Params) -> Document:
    """DescribeCacheParameters: every parameter, or those of one Source (user, system)."""
    group, source = find_parameters(params["CacheParameterGroupName"]), params.get("Source")
    found = [
        {
            "ParameterName": name,
            "ParameterValue": group.values[name],
            "Source": "user" if name in group.own else "system",
            "DataType": kind,
            "AllowedValues": allowed,
            "IsModifiable": modifiable,
            "MinimumEngineVersion": "5.0.6",
            "ChangeType": change,
        }
        for name, (_, kind, allowed, modifiable, change) in PARAMETERS.items()
    ]
    return page([item for item in found if source in (None, item["Source"])], params, "Parameters")


def create_cache_parameter_group(params: Params) -> Document:
    """CreateCacheParameterGroup: begins with the values of its family's default group."""
    name, family = params["CacheParameterGroupName"].lower(), params["CacheParameterGroupFamily"]
    if not NAME.fullmatch(name):
        raise AwsError(
            "InvalidParameterValue", f"The parameter CacheParameterGroupName is not a valid identifier: {name}"
        )
    if family not in FAMILIES:
        raise AwsError(
            "InvalidParameterValue", f"CacheParameterGroupFamily {family} is not a valid parameter group family"
        )
    if name in custom:
        raise AwsError("CacheParameterGroupAlreadyExists", f"CacheParameterGroup {name} already exists.")
    custom[name] = ParameterGroup(name, family, params.get("Description", ""))
    return {"CacheParameterGroup": custom[name].described()}


def modify_cache_parameter_group(params: Params) -> Document:
    """ModifyCacheParameterGroup: at most 20 valid values; every replication group that uses it follows."""
    group = _changeable(params["CacheParameterGroupName"])
    changes = {item["ParameterName"]: item.get("ParameterValue", "") for item in params["ParameterNameValues"]}
    if len(changes) > MOST_CHANGES:
        raise AwsError("InvalidParameterCombination", "Cannot modify more than 20 parameters in a single request")
    for name, value in changes.items():
        _check(name, value)
    _change(group, group.own | changes)
    return {"CacheParameterGroupName": group.name}


def reset_cache_parameter_group(params: Params) -> Document:
    """ResetCacheParameterGroup: all, or the named ones, back to the family's default."""
    group = _changeable(params["CacheParameterGroupName"])
    names = {item["ParameterName"] for item in params.get("ParameterNameValues") or []}
    gone = set(group.own) if is_true(params.get("ResetAllParameters")) else names
    _change(group, {name: value for name, value in group.own.items() if name not in gone})
    return {"CacheParameterGroupName": group.name}


def delete_cache_parameter_group(params: Params) -> Document:
    """DeleteCacheParameterGroup: refused while a replication group uses it."""
    group = _changeable(params["CacheParameterGroupName"])
    if any(user.parameter_group == group.name for user in groups.values()):
        raise AwsError(
            "InvalidCacheParameterGroupState",
            f"One or more cache clusters are still members of this parameter group {group.name}, "
            "so the group cannot be deleted.",
        )
    del custom[group.name]
    return {}


def switch(user: Group, name: str) -> None:
    """Let the replication group's nodes use another parameter group; what needs a reboot waits for one."""
    before, after = find_parameters(user.parameter_group).values, find_parameters(name).values
    user.parameter_group = name
    _apply(user, _differing(before, after))


def _changeable(name: str) -> ParameterGroup:
    if name.startswith("default."):
        raise AwsError("InvalidParameterValue", f"The parameter group {name} is a default one and cannot be modified.")
    return find_parameters(name)


def _check(name: str, value: str) -> None:
    if name not in PARAMETERS:
        raise AwsError("InvalidParameterValue", f"Could not find parameter with name: {name}")
    _, kind, allowed, modifiable, _ = PARAMETERS[name]
    if not modifiable:
        raise AwsError("InvalidParameterValue", f"The parameter {name} cannot be modified.")
    if not (_in_range(value, allowed) if kind == "integer" else not allowed or value in allowed.split(",")):
        raise AwsError("InvalidParameterValue", f"The value {value} is not valid for {name}. Allowed: {allowed}")


def _in_range(value: str, allowed: str) -> bool:
    bounds = re.fullmatch(r"(-?\d+)-(\d*)", allowed)
    if not bounds or not re.fullmatch(r"-?\d+", value):
        return False
    return int(bounds[1]) <= int(value) <= int(bounds[2] or value)


def _change(group: ParameterGroup, own: dict[str, str]) -> None:
    before = group.values
    group.own = own
    changed = _differing(before, group.values)
    events.add(group.name, "cache-parameter-group", f"Updated parameter group {group.name}")
    for user in groups.values():
        if user.parameter_group == group.name and changed:
            user.apply_status = "applying"
            world.later(APPLIED_AFTER_S, lambda user=user: _apply(user, changed))  # type: ignore[misc]


def _differing(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in after.items() if before[name] != value}


def _apply(user: Group, changed: dict[str, str]) -> None:
    waits = {name for name in changed if PARAMETERS[name][4] == REBOOT}
    user.apply_status = "pending-reboot" if waits else "in-sync"
    announce(user, ((name, value) for name, value in changed.items() if name not in waits))
