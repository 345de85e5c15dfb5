"""Changing a simulated replication group: TestFailover, promotion, automatic failover, node type, parameter group."""

from datetime import datetime, timedelta

from novaops.sandbox.aws.elasticache_model import (
    CACHE_NODE,
    MEMORY_GIB,
    NODE_GROUP,
    Group,
    available,
    events,
    find,
    on_node_type,
)
from novaops.sandbox.aws.elasticache_parameters import find_parameters, switch
from novaops.sandbox.aws.query import Document, is_true
from novaops.sandbox.aws.wire import AwsError, Params
from novaops.sandbox.world import world

QUOTA = 15
QUOTA_WINDOW = timedelta(hours=24)
"""Of the world's own time, not of simulated seconds: the quota is what users read as a date."""
PLAIN = ("SnapshotRetentionLimit", "SnapshotWindow", "AutoMinorVersionUpgrade")
SIMULATED = {
    "ReplicationGroupId", "ReplicationGroupDescription", "PrimaryClusterId", "AutomaticFailoverEnabled",
    "MultiAZEnabled", "CacheParameterGroupName", "CacheNodeType", "ApplyImmediately", *PLAIN,
}  # fmt: skip
failovers: list[datetime] = []


def test_failover(params: Params) -> Document:
    """TestFailover: the group stays `available`; the roles swap after 20 s, the old primary is back after four minutes.

    The real one's events in its order (FACTS C). What it answers where automatic failover is off is not documented.
    """
    group = find(params["ReplicationGroupId"])
    if params["NodeGroupId"] != NODE_GROUP:
        raise AwsError("NodeGroupNotFoundFault", f"Node group {params['NodeGroupId']} not found in {group.id}.")
    available(group.id)
    if group.wire["AutomaticFailover"] != "enabled" or not group.replicas:
        raise AwsError(
            "TestFailoverNotAvailableFault",
            f"Automatic failover must be enabled, with at least one replica, to test a failover of {group.id}.",
        )
    if group.recovering:
        raise AwsError(
            "InvalidReplicationGroupState", f"Node group {NODE_GROUP} of {group.id} is still recovering its nodes."
        )
    _spend_quota()
    _fail_over(group)
    return {"ReplicationGroup": group.described()}


def modify_replication_group(params: Params) -> Document:
    """ModifyReplicationGroup: one timed change at a time, and only with ApplyImmediately; otherwise it waits unseen."""
    group = available(params["ReplicationGroupId"])
    unknown = params.keys() - SIMULATED
    if unknown:
        raise AwsError("InvalidParameterValue", f"The sandbox does not simulate changing {sorted(unknown)}.")
    _check(group, params)
    group.wire.update({name: params[name] for name in PLAIN if name in params})
    group.wire["Description"] = params.get("ReplicationGroupDescription", group.wire["Description"])
    if is_true(params.get("ApplyImmediately")):
        _start(group, params)
    return {"ReplicationGroup": group.described()}


def list_allowed_node_type_modifications(params: Params) -> Document:
    """ListAllowedNodeTypeModifications: the node types with more and with less memory than the group's."""
    if not params.get("ReplicationGroupId"):
        raise AwsError("InvalidParameterCombination", "The sandbox knows replication groups only: name one.")
    here = MEMORY_GIB[find(params["ReplicationGroupId"]).wire["CacheNodeType"]]
    return {
        "ScaleUpModifications": [name for name, memory in MEMORY_GIB.items() if memory > here],
        "ScaleDownModifications": [name for name, memory in MEMORY_GIB.items() if memory < here],
    }


def _spend_quota() -> None:
    since = world.now() - QUOTA_WINDOW
    failovers[:] = [moment for moment in failovers if moment > since]
    if len(failovers) >= QUOTA:
        raise AwsError(
            "APICallRateForCustomerExceeded",
            f"The customer has exceeded the allowed rate of API calls: {QUOTA} node groups in 24 hours.",
        )
    failovers.append(world.now())


def _fail_over(group: Group) -> None:
    former, replica = group.primary, group.replicas[0].id
    group.recovering = True
    group.say(f"Test Failover API called for node group {NODE_GROUP}")

    def recovered() -> None:
        group.recovering = False
        events.add(former, "cache-cluster", f"Finished recovery for cache nodes {CACHE_NODE}")

    world.later(20, lambda: group.promote(replica))
    world.later(25, lambda: events.add(former, "cache-cluster", f"Recovering cache nodes {CACHE_NODE}"))
    world.later(240, recovered)


def _check(group: Group, params: Params) -> None:
    """Refuse what AWS refuses before anything changes."""
    on = group.wire["AutomaticFailover"] == "enabled"
    stays_on = is_true(params.get("AutomaticFailoverEnabled", on))
    if is_true(params.get("MultiAZEnabled", group.wire["MultiAZ"] == "enabled")) and not stays_on:
        raise AwsError("InvalidParameterCombination", "Multi-AZ needs automatic failover: disable Multi-AZ first.")
    if stays_on and not on and not group.replicas:
        raise AwsError("InvalidParameterCombination", "Automatic failover needs at least one replica.")
    if "PrimaryClusterId" in params:
        _check_promotion(group, params["PrimaryClusterId"], on=on)
    if "CacheNodeType" in params and params["CacheNodeType"] not in MEMORY_GIB:
        raise AwsError("InvalidParameterValue", f"Invalid CacheNodeType: {params['CacheNodeType']}")
    if "CacheParameterGroupName" in params:
        family, wanted = find_parameters(params["CacheParameterGroupName"]).family, "redis7"
        if family != wanted:
            raise AwsError(
                "InvalidParameterCombination",
                f"Expected a parameter group of family {wanted} but found one of family {family}",
            )


def _check_promotion(group: Group, node: str, *, on: bool) -> None:
    if on:
        raise AwsError(
            "InvalidParameterCombination",
            "A replica cannot be promoted while automatic failover is enabled: disable it first.",
        )
    if node not in [member.id for member in group.nodes]:
        raise AwsError("InvalidParameterValue", f"{node} is not a member of the replication group {group.id}.")


def _start(group: Group, params: Params) -> None:
    """Begin the timed changes asked for; the group is `modifying` until the longest of them is done."""
    lasts_s = [
        *_start_failover_mode(group, params),
        *_start_promotion(group, params),
        *_start_parameters(group, params),
        *_start_node_type(group, params),
    ]
    if lasts_s:
        group.become("modifying")
        world.later(max(lasts_s), lambda: group.become("available"))


def _start_failover_mode(group: Group, params: Params) -> list[float]:
    began = []
    for parameter, name in (("AutomaticFailoverEnabled", "AutomaticFailover"), ("MultiAZEnabled", "MultiAZ")):
        wanted = "enabled" if is_true(params.get(parameter)) else "disabled"
        if parameter in params and group.wire[name] != wanted:
            began.append(30.0)
            if name == "AutomaticFailover":
                group.wire[name] = wanted.replace("led", "ling")
            world.later(30, lambda name=name, wanted=wanted: group.wire.update({name: wanted}))  # type: ignore[misc]
    return began


def _start_promotion(group: Group, params: Params) -> list[float]:
    node = params.get("PrimaryClusterId")
    if not node or node == group.primary:
        return []
    world.later(25, lambda: group.promote(node))
    return [30]


def _start_parameters(group: Group, params: Params) -> list[float]:
    name = params.get("CacheParameterGroupName")
    if not name or name == group.parameter_group:
        return []
    group.apply_status = "applying"
    world.later(15, lambda: switch(group, name))
    return [20]


def _start_node_type(group: Group, params: Params) -> list[float]:
    wanted = params.get("CacheNodeType")
    if not wanted or wanted == group.wire["CacheNodeType"]:
        return []

    def scaled() -> None:
        group.wire["CacheNodeType"] = wanted
        for hook in on_node_type:
            hook(group.id, wanted)

    world.later(300, scaled)
    return [300]
