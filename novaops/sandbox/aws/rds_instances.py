"""Creating, describing, changing and deleting simulated DB instances."""

from novaops.sandbox.aws import rds_options
from novaops.sandbox.aws.query import Document, is_true
from novaops.sandbox.aws.rds_model import (
    Instance,
    available,
    checked_class,
    checked_name,
    copies,
    endpoint,
    filtered,
    find,
    fresh,
    instances,
    new_name,
    restarted,
)
from novaops.sandbox.aws.rds_reboot import in_sync
from novaops.sandbox.aws.rds_snapshots import free_name, take
from novaops.sandbox.aws.wire import AwsError, Params
from novaops.sandbox.world import world

FILTERS = {
    "db-instance-id": ("DBInstanceIdentifier", "DBInstanceArn"),
    "dbi-resource-id": ("DbiResourceId",),
    "db-cluster-id": ("DBClusterIdentifier",),
    "engine": ("Engine",),
}
WAITING = (
    "DBInstanceClass",
    "MultiAZ",
    "AllocatedStorage",
    "EngineVersion",
    "StorageType",
    "Iops",
    "StorageThroughput",
)
"""What waits for the maintenance window in PendingModifiedValues unless ApplyImmediately."""
DELETION_TAKES_S = 150
RESTARTING = {"DBInstanceClass", "EngineVersion"}
DELETABLE = ("available", "stopped", "failed", "storage-full", "incompatible-restore", "incompatible-network")


def describe_db_instances(params: Params) -> Document:
    """DescribeDBInstances: all, by filter, or the named one."""
    name = params.get("DBInstanceIdentifier")
    found = [find(name)] if name else list(instances.values())
    return filtered([instance.described() for instance in found], params, FILTERS, "DBInstances")


def create_db_instance(params: Params) -> Document:
    """CreateDBInstance (PostgreSQL): `creating`, the first backup, `available` after four minutes."""
    identifier = new_name(params["DBInstanceIdentifier"])
    if params.get("Engine") != "postgres":
        raise AwsError("InvalidParameterValue", "The sandbox simulates engine postgres only.")
    settings = {**rds_options.defaults(), "AllocatedStorage": int(params.get("AllocatedStorage") or 20)}
    rds_options.apply(settings, params)
    instance = fresh(identifier, settings)
    come_up(instance, params.get("Port") or 5432, "DB instance created", "creation")
    return {"DBInstance": instance.described()}


def come_up(instance: Instance, port: int, message: str, category: str) -> None:
    """From `creating` through the first backup to `available`, as after CreateDBInstance or a restore."""

    def created() -> None:
        instance.wire["Endpoint"] = endpoint(instance.address, port)
        instance.say(message, category)
        instance.become("backing-up" if instance.wire["BackupRetentionPeriod"] else "modifying")
        instance.say("Backing up DB instance", "backup")

    def ready() -> None:
        instance.restorable_from = world.now()
        instance.say("Finished DB Instance backup", "backup")
        instance.become("available")

    world.later(180, created)
    world.later(240, ready)


def delete_db_instance(params: Params) -> Document:
    """DeleteDBInstance: refused under deletion protection and without a word about the final snapshot."""
    instance = find(params.get("DBInstanceIdentifier"))
    if instance.status not in DELETABLE:
        raise AwsError("InvalidDBInstanceState", f"Instance {instance.id} is currently {instance.status}.")
    if instance.wire["DeletionProtection"]:
        raise AwsError(
            "InvalidParameterCombination",
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        )
    if not is_true(params.get("SkipFinalSnapshot")):
        _final_snapshot(instance, params.get("FinalDBSnapshotIdentifier"))
    instance.become("deleting")

    def gone() -> None:
        instance.say("DB instance deleted", "deletion")
        restarted(instance)
        instances.pop(instance.id, None)
        for hook in copies.on_instance_gone:
            hook(instance.id)

    world.later(DELETION_TAKES_S, gone)
    return {"DBInstance": instance.described()}


def _final_snapshot(instance: Instance, name: str | None) -> None:
    if not name:
        raise AwsError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        )
    take(instance, free_name(name))


def modify_db_instance(params: Params) -> Document:
    """ModifyDBInstance: most settings change at once, those of WAITING only with ApplyImmediately."""
    instance = available(params.get("DBInstanceIdentifier"))
    now = is_true(params.get("ApplyImmediately"))
    waiting = {name: params[name] for name in WAITING if name in params}
    if "DBInstanceClass" in waiting:
        checked_class(waiting["DBInstanceClass"])
    at_once = {name: value for name, value in params.items() if name not in waiting}
    group_before = instance.wire["DBParameterGroups"][0]["DBParameterGroupName"]
    settings = dict(instance.wire)
    rds_options.apply(settings, at_once)
    rds_options.apply(dict(settings), waiting)
    instance.wire.update(settings)
    group = instance.wire["DBParameterGroups"][0]
    if group["DBParameterGroupName"] != group_before:
        group["ParameterApplyStatus"] = "pending-reboot"
    if "NewDBInstanceIdentifier" in params:
        waiting["DBInstanceIdentifier"] = _free(params["NewDBInstanceIdentifier"])
    if waiting:
        instance.wire["PendingModifiedValues"] = {**instance.wire["PendingModifiedValues"], **waiting}
    if now and instance.wire["PendingModifiedValues"]:
        _apply_pending(instance)
    elif {"MonitoringInterval", "EnablePerformanceInsights", "BackupRetentionPeriod"} & at_once.keys():
        instance.become("modifying")
        world.later(30, lambda: instance.become("available"))
    return {"DBInstance": instance.described()}


def add_role_to_db_instance(params: Params) -> Document:
    """AddRoleToDBInstance: the role is active at once."""
    instance = available(params.get("DBInstanceIdentifier"))
    role = {"RoleArn": params["RoleArn"], "FeatureName": params["FeatureName"], "Status": "ACTIVE"}
    instance.wire["AssociatedRoles"] = [*instance.wire["AssociatedRoles"], role]
    return {}


def _free(name: str) -> str:
    identifier = checked_name(name, "NewDBInstanceIdentifier", 63)
    if identifier in instances:
        raise AwsError("DBInstanceAlreadyExists", "DB instance already exists")
    return identifier


def _apply_pending(instance: Instance) -> None:
    pending = instance.wire["PendingModifiedValues"]
    instance.become("renaming" if "DBInstanceIdentifier" in pending else "modifying")

    def applied() -> None:
        instance.wire["PendingModifiedValues"] = {}
        rds_options.apply(instance.wire, pending)
        if RESTARTING & pending.keys():
            in_sync(instance)
            restarted(instance)
        if "DBInstanceIdentifier" in pending:
            _rename(instance, pending["DBInstanceIdentifier"])
        instance.say("Finished applying modification to DB instance", "configuration change")
        instance.become("available")

    world.later(120, applied)


def _rename(instance: Instance, identifier: str) -> None:
    """A new name brings a new endpoint: the old address no longer answers."""
    before = instance.id
    instance.say(f"Renamed instance from {before} to {identifier}", "configuration change")
    del instances[before]
    instances[identifier] = instance
    instance.address = instance.address.replace(before, identifier, 1)
    instance.wire.update(
        DBInstanceIdentifier=identifier,
        DBInstanceArn=instance.wire["DBInstanceArn"].rsplit(":", 1)[0] + f":{identifier}",
        Endpoint=endpoint(instance.address, instance.wire["Endpoint"]["Port"]),
    )
