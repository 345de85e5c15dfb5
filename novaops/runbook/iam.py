"""The least-privilege IAM policies of NovaOps: what it reads, what its actions send, and on which resources only."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from novaops.environment import EcsService, Environment
from novaops.runbook.registry import actions

# What collecting reads, in every environment; the actions declare what they read and send themselves.
COLLECTED = (
    "application-autoscaling:DescribeScalableTargets",
    "autoscaling:DescribeAutoScalingGroups",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:DescribeTasks",
    "ecs:ListTasks",
    "elasticache:DescribeReplicationGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "logs:FilterLogEvents",
    "logs:GetQueryResults",
    "logs:StartQuery",
    "rds:DescribeAccountAttributes",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstanceAutomatedBackups",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshots",
    "rds:DescribeEvents",
)
# What hearing of alarms needs: it takes messages that are for NovaOps, and changes nothing of Nova.
HEARD = ("sns:ConfirmSubscription", "sqs:DeleteMessage", "sqs:ReceiveMessage")
READING = re.compile(r":(Describe|Get|List|Filter|BatchGet|Lookup|Search|StartQuery)")
# A service's prefix in IAM where it is not that of its API.
PREFIXES = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing"}
# An operation that another's permission allows.
OTHERWISE = {"sqs:DeleteMessageBatch": "sqs:DeleteMessage"}
EVERYTHING = ("*",)
# iam:PassRole hands a task its roles, and a restored instance those of its monitoring and its features.
PASSED_TO = {
    "StringEquals": {
        "iam:PassedToService": ["ecs-tasks.amazonaws.com", "monitoring.rds.amazonaws.com", "rds.amazonaws.com"]
    }
}


def permission(operation: str) -> str:
    """The IAM action of an AWS operation: of `elbv2:SetSubnets` it is `elasticloadbalancing:SetSubnets`."""
    service, _, name = OTHERWISE.get(operation, operation).partition(":")
    return f"{PREFIXES.get(service, service)}:{name}"


def reader_permissions(environment: Environment) -> set[str]:
    """What the reading role needs: the collectors' calls and those with which actions look."""
    declared = (one for one in _declared(environment) if READING.search(one))
    return {*COLLECTED, *_heard(environment), *declared}


def actor_permissions(environment: Environment) -> set[str]:
    """What the acting role needs: the changing calls of the actions that the environment has something for."""
    return {one for one in _declared(environment) if not READING.search(one)}


def policy(environment: Environment, permissions: Iterable[str]) -> dict[str, Any]:
    """The policy document that allows these, each on the declared resources where its service can tell them apart."""
    by_resources: dict[tuple[str, ...], list[str]] = {}
    for one in sorted(set(permissions)):
        resources = _resources(environment, one)
        if resources is not None:
            by_resources.setdefault(resources, []).append(one)
    statements = [
        _statement(number, allowed, found) for number, (found, allowed) in enumerate(sorted(by_resources.items()), 1)
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(number: int, allowed: list[str], resources: tuple[str, ...]) -> dict[str, Any]:
    shared = {"Sid": f"NovaOps{number}", "Effect": "Allow", "Action": allowed, "Resource": list(resources)}
    return {**shared, "Condition": PASSED_TO} if allowed == ["iam:PassRole"] else shared


def _heard(environment: Environment) -> Iterator[str]:
    """What hearing of alarms from outside needs there."""
    has = {"sqs": bool(environment.hooks.queue_url), "sns": bool(environment.hooks.topics)}
    return (one for one in HEARD if has[one.partition(":")[0]])


def _declared(environment: Environment) -> Iterator[str]:
    for action in actions.values():
        if action().applies(environment):
            yield from action.iam_permissions


def _resources(environment: Environment, one: str) -> tuple[str, ...] | None:
    """The resources that the permission is for; None where the environment has nothing that it is needed for."""
    for pattern, arns in RESOURCES:
        if pattern.fullmatch(one):
            found = arns(environment)
            return None if found is None else tuple(sorted(found)) or EVERYTHING
    return EVERYTHING


def _arn(environment: Environment, service: str, resource: str, *, region: bool = True) -> str:
    partition = environment.api.target_group_arn.split(":")[1]
    return f"arn:{partition}:{service}:{environment.region if region else ''}:{environment.account_id}:{resource}"


def _ecs(environment: Environment) -> list[EcsService]:
    return [environment.events, *([environment.api.ecs] if environment.api.ecs else [])]


def _ecs_services(environment: Environment) -> list[str]:
    return [_arn(environment, "ecs", f"service/{one.cluster}/{one.service}") for one in _ecs(environment)]


def _tasks(environment: Environment) -> list[str]:
    return [_arn(environment, "ecs", f"task/{one.cluster}/*") for one in _ecs(environment)]


def _databases(environment: Environment) -> list[str]:
    database = environment.database
    named = (("db", database.instance_id), ("cluster", database.cluster_id))
    return [_arn(environment, "rds", f"{kind}:{name}") for kind, name in named if name]


def _rebooted(environment: Environment) -> list[str]:
    """The instance, or the members of the cluster by the names that RDS gives them."""
    database = environment.database
    return [_arn(environment, "rds", f"db:{database.instance_id or f'{database.cluster_id}-instance-*'}")]


def _kept(environment: Environment) -> list[str]:
    """The databases whose backups are watched, Nova's own among them."""
    kinds = {"instance": "db", "cluster": "cluster"}
    return [_arn(environment, "rds", f"{kinds[one.kind]}:{one.id}") for one in environment.kept_databases]


def _snapshots(environment: Environment) -> list[str]:
    """Those databases with the snapshots that runs take of them and restore."""
    return [*_kept(environment), *_only_snapshots(environment)]


def _only_snapshots(environment: Environment) -> list[str]:
    return [_arn(environment, "rds", f"{kind}:*") for kind in ("cluster-snapshot", "snapshot")]


def _copied(environment: Environment) -> list[str]:
    """Snapshots at home and in the region that they are copied to."""
    region = environment.backups.copy_to_region
    places = [environment, *([environment.in_region(region)] if region else [])]
    return [_arn(place, "rds", "snapshot:*") for place in places]


def _copying_key(environment: Environment) -> list[str]:
    """The key that encrypts the copies there."""
    wanted = environment.backups
    there = environment.in_region(wanted.copy_to_region or environment.region)
    return [wanted.copy_kms_key or _arn(there, "kms", "key/*")]


def _restored(environment: Environment) -> list[str]:
    """The instances that runs make, with what a restore names of production; never production itself."""
    named = ("db:nova-restored-*", "snapshot:*", "cluster-snapshot:*", "subgrp:*", "pg:*", "og:*")
    return [_arn(environment, "rds", resource) for resource in named]


def _restored_from(environment: Environment) -> list[str]:
    """The instances that runs make, and the one whose past they are made of."""
    return [*_databases(environment), *_restored(environment)]


def _changed_later(environment: Environment) -> list[str]:
    """The instances that runs made."""
    return [_arn(environment, "rds", "db:nova-restored-*")]


def _looked_at(environment: Environment) -> list[str]:
    """Every instance: those that runs made are found by listing, and the members of a cluster have names of theirs."""
    return [*_kept(environment), _arn(environment, "rds", "db:*")]


def _replication_group(environment: Environment) -> list[str]:
    return [_arn(environment, "elasticache", f"replicationgroup:{environment.cache.replication_group_id}")]


def _cache_nodes(environment: Environment) -> list[str]:
    return [_arn(environment, "elasticache", f"cluster:{environment.cache.replication_group_id}-*")]


def _log_groups(environment: Environment) -> list[str]:
    groups = {one.log_group for one in _ecs(environment)}
    if environment.api.ec2:
        groups.add(environment.api.ec2.log_group)
    return [_arn(environment, "logs", f"log-group:{group}:*") for group in groups]


def _scaling_group(environment: Environment) -> list[str]:
    if environment.api.ec2 is None:
        return []
    name = environment.api.ec2.autoscaling_group
    return [_arn(environment, "autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")]


def _commanded(environment: Environment) -> list[str]:
    """The one document that is sent, which is AWS's own and of no account, and the account's instances."""
    document = _arn(environment, "ssm", "document/AWS-RunShellScript").replace(f":{environment.account_id}:", "::")
    return [document, _arn(environment, "ec2", "instance/*")] if environment.api.ec2 else []


def _queues(environment: Environment) -> list[str]:
    account, _, name = (environment.hooks.queue_url or "").rpartition("/")
    return [_arn(environment, "sqs", name).replace(environment.account_id, account.rpartition("/")[2])]


def _topics(environment: Environment) -> list[str]:
    return list(environment.hooks.topics)


def _roles(environment: Environment) -> list[str]:
    return [_arn(environment, "iam", "role/*", region=False)]


def _url_place(kind: str) -> Callable[[Environment], list[str] | None]:
    """The one secret or parameter in which DATABASE_URL stands; AWS adds six characters to the name of a secret."""

    def arns(environment: Environment) -> list[str] | None:
        url = environment.database.url
        if url is None or url.kind != kind:
            return None
        name = url.name.removeprefix("/")
        if kind == "secret":
            whole = url.name.startswith("arn:")
            return [url.name if whole else _arn(environment, "secretsmanager", f"secret:{name}-*")]
        return [_arn(environment, "ssm", f"parameter/{name}")]

    return arns


def _rule(pattern: str, arns: Callable[[Environment], list[str] | None]) -> tuple[re.Pattern[str], Any]:
    return re.compile(pattern), arns


# Which resources a permission is for, where its service supports that and nova.toml names them (Service Authorization
# Reference); what is not here is for all: its service knows no resources, or they are made by the run.
RESOURCES = (
    _rule(r"ecs:(UpdateService|DescribeServices)", _ecs_services),
    _rule(r"ecs:(StopTask|DescribeTasks)", _tasks),
    _rule(r"rds:RebootDBInstance", _rebooted),
    _rule(r"rds:FailoverDBCluster", _databases),
    _rule(r"rds:DescribeDBClusters", _kept),
    _rule(r"rds:Create(DBSnapshot|DBClusterSnapshot)", _snapshots),
    _rule(r"rds:(RestoreDBInstanceFromDBSnapshot|ModifyDBInstance)", _restored),
    _rule(r"rds:RestoreDBInstanceToPointInTime", _restored_from),
    _rule(r"rds:(DeleteDBInstance|AddRoleToDBInstance)", _changed_later),
    _rule(r"rds:DeleteDBSnapshot", _copied),
    _rule(r"rds:DeleteDBClusterSnapshot", _only_snapshots),
    _rule(r"rds:CopyDBSnapshot", _copied),
    _rule(r"kms:(CreateGrant|DescribeKey)", _copying_key),
    _rule(r"rds:AddTagsToResource", lambda one: [*{*_snapshots(one), *_copied(one), *_restored(one)}]),
    _rule(r"rds:Describe(DBSnapshots|DBClusterSnapshots)", lambda one: [*{*_snapshots(one), *_copied(one)}]),
    _rule(r"rds:DescribeDBInstances", _looked_at),
    _rule(r"elasticache:DescribeReplicationGroups", _replication_group),
    _rule(r"elasticache:TestFailover", lambda one: [*_replication_group(one), *_cache_nodes(one)]),
    _rule(r"logs:(FilterLogEvents|StartQuery)", _log_groups),
    _rule(r"autoscaling:(?!Describe).*", _scaling_group),
    _rule(r"ssm:SendCommand", _commanded),
    _rule(r"secretsmanager:.*", _url_place("secret")),
    _rule(r"ssm:(GetParameter|PutParameter)", _url_place("parameter")),
    _rule(r"iam:PassRole", _roles),
    _rule(r"sqs:.*", _queues),
    _rule(r"sns:.*", _topics),
)
