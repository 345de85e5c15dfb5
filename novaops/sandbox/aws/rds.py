"""The simulated RDS of Nova: puts its operations in place of moto's and creates Nova's instance, backups and proxy."""

from moto.rds.models import rds_backends
from moto.rds.responses import RDSResponse

from novaops.sandbox.aws import (
    rds_cluster_snapshots,
    rds_clusters,
    rds_copies,
    rds_instances,
    rds_offers,
    rds_options,
    rds_reboot,
    rds_restore,
    rds_snapshots,
)
from novaops.sandbox.aws.query import Document, page, withdraw
from novaops.sandbox.aws.rds_model import (
    KMS_KEY,
    endpoint,
    events,
    find,
    fresh,
    instances,
    on_restart,
    snapshots,
    subnet_group,
)
from novaops.sandbox.aws.rds_snapshots import find_snapshot
from novaops.sandbox.aws.wire import ACCOUNT, REGION, AwsError, Params, arn, attach, attach_abroad

__all__ = ["find", "install", "on_restart", "reset", "seed"]

NOVA_DB = "nova-db"
NOVA_PARAMETER_GROUP = "nova-pg16"
NOVA_SECURITY_GROUPS = ["sg-0a1b2c3d4e5f60001", "sg-0a1b2c3d4e5f60002"]
NOVA_SETTINGS = {
    "DBInstanceClass": "db.t4g.medium",
    "DBName": "nova",
    "MasterUsername": "nova",
    "MultiAZ": True,
    "DBSubnetGroupName": "nova-db",
    "DBParameterGroupName": NOVA_PARAMETER_GROUP,
    "VpcSecurityGroupIds": NOVA_SECURITY_GROUPS,
    "BackupRetentionPeriod": 7,
    "DeletionProtection": True,
    "StorageEncrypted": True,
    "KmsKeyId": KMS_KEY,
    "MaxAllocatedStorage": 500,
    "CopyTagsToSnapshot": True,
    "EnableIAMDatabaseAuthentication": True,
    "EnableCloudwatchLogsExports": ["postgresql", "upgrade"],
    "MonitoringInterval": 60,
    "MonitoringRoleArn": f"arn:aws:iam::{ACCOUNT}:role/rds-monitoring-role",
    "EnablePerformanceInsights": True,
    "PerformanceInsightsKMSKeyId": KMS_KEY,
    "PerformanceInsightsRetentionPeriod": 7,
    "Tags": [{"Key": "service", "Value": "nova"}, {"Key": "environment", "Value": "sandbox"}],
}
OUT_OF_SCOPE = (
    "create_db_instance_read_replica", "promote_read_replica", "describe_db_log_files", "modify_db_cluster",
    "copy_db_cluster_snapshot", "restore_db_cluster_from_snapshot", "restore_db_cluster_to_point_in_time",
    "start_db_cluster", "stop_db_cluster", "create_db_subnet_group", "modify_db_subnet_group", "delete_db_subnet_group",
    "create_db_proxy", "delete_db_proxy", "register_db_proxy_targets", "deregister_db_proxy_targets",
    "modify_db_proxy_target_group", "create_blue_green_deployment", "add_role_to_db_cluster",
)  # fmt: skip


def install() -> None:
    """Put Nova's RDS in place of moto's. Doing it twice changes nothing."""
    attach(RDSResponse, describe_events, describe_db_subnet_groups)
    attach(RDSResponse, add_tags_to_resource, remove_tags_from_resource, list_tags_for_resource)
    attach(RDSResponse, describe_db_proxies, describe_db_proxy_target_groups, describe_db_proxy_targets)
    attach(RDSResponse, rds_reboot.reboot_db_instance, rds_reboot.stop_db_instance, rds_reboot.start_db_instance)
    attach(RDSResponse, rds_instances.describe_db_instances, rds_instances.create_db_instance)
    attach(RDSResponse, rds_instances.modify_db_instance, rds_instances.delete_db_instance)
    attach(RDSResponse, rds_instances.add_role_to_db_instance)
    attach(RDSResponse, rds_snapshots.create_db_snapshot, rds_snapshots.describe_db_snapshots)
    attach(RDSResponse, rds_snapshots.delete_db_snapshot, rds_snapshots.copy_db_snapshot)
    attach(RDSResponse, rds_snapshots.describe_db_instance_automated_backups)
    attach(RDSResponse, rds_restore.restore_db_instance_from_db_snapshot)
    attach(RDSResponse, rds_restore.restore_db_instance_to_point_in_time)
    attach(RDSResponse, rds_offers.describe_orderable_db_instance_options)
    attach(RDSResponse, rds_clusters.create_db_cluster, rds_clusters.describe_db_clusters)
    attach(RDSResponse, rds_clusters.failover_db_cluster, rds_clusters.delete_db_cluster)
    attach(RDSResponse, rds_cluster_snapshots.create_db_cluster_snapshot)
    attach(RDSResponse, rds_cluster_snapshots.describe_db_cluster_snapshots)
    attach(RDSResponse, rds_cluster_snapshots.delete_db_cluster_snapshot)
    attach(RDSResponse, rds_cluster_snapshots.describe_account_attributes)
    attach_abroad(RDSResponse, rds_copies.copy_db_snapshot, rds_copies.describe_db_snapshots)
    attach_abroad(RDSResponse, rds_copies.delete_db_snapshot, rds_copies.describe_db_cluster_snapshots)
    withdraw(RDSResponse, OUT_OF_SCOPE)


def reset() -> None:
    """Forget every instance, cluster, snapshot and event."""
    for kept in (instances, snapshots, rds_clusters.clusters):
        kept.clear()
    rds_cluster_snapshots.forget()
    events.clear()


def seed() -> None:
    """Nova's instance as production has it, with a week of automated snapshots."""
    groups = rds_backends[ACCOUNT][REGION]
    if NOVA_PARAMETER_GROUP not in groups.db_parameter_groups:
        group = {"db_parameter_group_name": NOVA_PARAMETER_GROUP, "db_parameter_group_family": "postgres16"}
        groups.create_db_parameter_group({**group, "description": "Nova's PostgreSQL 16", "tags": []})
    settings = rds_options.defaults()
    rds_options.apply(settings, NOVA_SETTINGS)
    instance = fresh(NOVA_DB, settings)
    instance.wire["Endpoint"] = endpoint(instance.address, 5432)
    instance.become("available")
    rds_snapshots.seed_automated(instance, days=7)


def describe_events(params: Params) -> Document:
    """DescribeEvents of RDS."""
    return events.describe(params)


def describe_db_subnet_groups(params: Params) -> Document:
    """DescribeDBSubnetGroups: Nova's and the default one."""
    names = [params["DBSubnetGroupName"]] if params.get("DBSubnetGroupName") else ["default", "nova-db"]
    return page([subnet_group(name) for name in names], params, "DBSubnetGroups")


def add_tags_to_resource(params: Params) -> Document:
    tagged = _tagged(params["ResourceName"])
    kept = {tag["Key"]: tag for tag in (*tagged["TagList"], *params["Tags"])}
    tagged["TagList"] = list(kept.values())
    return {}


def remove_tags_from_resource(params: Params) -> Document:
    tagged = _tagged(params["ResourceName"])
    tagged["TagList"] = [tag for tag in tagged["TagList"] if tag["Key"] not in params["TagKeys"]]
    return {}


def list_tags_for_resource(params: Params) -> Document:
    return {"TagList": _tagged(params["ResourceName"])["TagList"]}


def _tagged(resource: str) -> Document:
    """The document of an instance or snapshot by its ARN."""
    if ":snapshot:" in resource:
        return find_snapshot(resource).wire
    if ":db:" in resource:
        return find(resource.split(":db:")[-1]).wire
    raise AwsError("InvalidParameterValue", f"The sandbox keeps no tags of {resource}.")


def describe_db_proxies(params: Params) -> Document:
    """DescribeDBProxies: the one proxy before Nova's instance, ready to be used."""
    if params.get("DBProxyName") not in (None, "nova-db-proxy"):
        raise AwsError("DBProxyNotFoundFault", f"DBProxy {params['DBProxyName']} doesn't exist.")
    proxy = {
        "DBProxyName": "nova-db-proxy",
        "DBProxyArn": arn("rds", "db-proxy:prx-0f3a9c1b7d5e2f468"),
        "Status": "available",
        "EngineFamily": "POSTGRESQL",
        "VpcId": subnet_group("nova-db")["VpcId"],
        "VpcSecurityGroupIds": NOVA_SECURITY_GROUPS,
        "VpcSubnetIds": [subnet["SubnetIdentifier"] for subnet in subnet_group("nova-db")["Subnets"]],
        "Auth": [],
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nova-db-proxy",
        "Endpoint": f"nova-db-proxy.proxy-c0nova1sandb.{REGION}.rds.amazonaws.com",
        "RequireTLS": True,
        "IdleClientTimeout": 1800,
        "DebugLogging": False,
    }
    return page([proxy], params, "DBProxies")


def describe_db_proxy_target_groups(params: Params) -> Document:
    proxy = describe_db_proxies({"DBProxyName": params["DBProxyName"]})["DBProxies"][0]
    pool = {"MaxConnectionsPercent": 80, "MaxIdleConnectionsPercent": 50, "ConnectionBorrowTimeout": 120}
    group = {"DBProxyName": proxy["DBProxyName"], "TargetGroupName": "default", "IsDefault": True}
    return page([{**group, "Status": "available", "ConnectionPoolConfig": pool}], params, "TargetGroups")


def describe_db_proxy_targets(params: Params) -> Document:
    """DescribeDBProxyTargets: the target is available while its instance is."""
    describe_db_proxies({"DBProxyName": params["DBProxyName"]})
    instance = find(NOVA_DB)
    state = "AVAILABLE" if instance.status in ("available", "backing-up") else "UNAVAILABLE"
    target = {"Type": "RDS_INSTANCE", "RdsResourceId": instance.id, "Endpoint": instance.address, "Port": 5432}
    return page([{**target, "Role": "READ_WRITE", "TargetHealth": {"State": state}}], params, "Targets")
