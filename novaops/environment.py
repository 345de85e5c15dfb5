"""The declared environments of Nova: nova.toml read once into typed, frozen objects. The only reader of that file."""

import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pydantic import Field, HttpUrl, StringConstraints, ValidationError, model_validator

from novaops.declared import (
    SERVICE_KINDS,
    Declared,
    Drills,
    EnvName,
    Hooks,
    Name,
    PagerDuty,
    Region,
    Restores,
    ServiceKind,
    Slack,
    Slug,
    StatusPage,
    TimeZone,
    UrlPlace,
)

__all__ = ["SERVICE_KINDS", "Declared", "ServiceKind", "UrlPlace"]
Contract = Annotated[str, StringConstraints(pattern=r"^C[A-Z2-7]{55}$")]
VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class EcsService(Declared):
    """An ECS service and the container in it that runs Nova's code."""

    cluster: Name
    service: Name
    task_family: Name
    container: Name
    log_group: Name


class Ec2Fleet(Declared):
    """The API server on EC2: an Auto Scaling Group whose instances run a systemd unit."""

    autoscaling_group: Name
    systemd_unit: Name = "nova-api"
    log_group: Name


class Api(Declared):
    """The API server: `kind` says whether `ecs` or `ec2` describes it; the ALB stands before both."""

    kind: Literal["ecs", "ec2"]
    ecs: EcsService | None = None
    ec2: Ec2Fleet | None = None
    load_balancer: Annotated[str, StringConstraints(pattern=r"^app/[\w-]+/\w+$")]
    target_group: Annotated[str, StringConstraints(pattern=r"^targetgroup/[\w-]+/\w+$")]
    target_group_arn: Annotated[str, StringConstraints(pattern=r"^arn:aws[\w-]*:elasticloadbalancing:")]
    health_url: HttpUrl | None = None

    @model_validator(mode="after")
    def _kind_is_described(self) -> "Api":
        if getattr(self, self.kind) is None:
            raise ValueError(f"kind is {self.kind!r}, so the table api.{self.kind} is required")
        return self

    @property
    def target(self) -> str:
        """What an action on the API server names: the ECS service or the Auto Scaling Group."""
        return self.on_ecs.service if self.kind == "ecs" else self.on_ec2.autoscaling_group

    @property
    def log_group(self) -> str:
        """The log group of the API server, wherever it runs."""
        return self.on_ecs.log_group if self.kind == "ecs" else self.on_ec2.log_group

    @property
    def on_ecs(self) -> EcsService:
        """The ECS service. Raises ValueError where the API server runs on EC2."""
        if self.ecs is None:
            raise ValueError("the API server does not run on ECS")
        return self.ecs

    @property
    def on_ec2(self) -> Ec2Fleet:
        """The EC2 fleet. Raises ValueError where the API server runs on ECS."""
        if self.ec2 is None:
            raise ValueError("the API server does not run on EC2")
        return self.ec2


class Database(Declared):
    """RDS PostgreSQL: a Multi-AZ instance or a DB cluster. The DSN is read from the named environment variable.

    `host_variable` is the API server's environment variable that says to which host it connects; `proxy_name` is the
    RDS Proxy that it can be pointed at.
    """

    kind: Literal["instance", "cluster"]
    instance_id: Name | None = None
    cluster_id: Name | None = None
    dsn_env: EnvName
    key_tables: tuple[Name, ...] = ()
    proxy_name: Name | None = None
    host_variable: EnvName = "DB_HOST"
    url: UrlPlace | None = None
    restores: Restores = Restores()

    @model_validator(mode="after")
    def _kind_is_named(self) -> "Database":
        if getattr(self, f"{self.kind}_id") is None:
            raise ValueError(f"kind is {self.kind!r}, so database.{self.kind}_id is required")
        return self

    @property
    def target(self) -> str:
        return (self.instance_id if self.kind == "instance" else self.cluster_id) or ""

    @property
    def dsn(self) -> str:
        """The connection string, empty where the variable is not set."""
        return os.environ.get(self.dsn_env, "")


class RedisGroup(Declared):
    """The ElastiCache replication group. The URL is read from the named environment variable."""

    replication_group_id: Name
    node_group_id: Annotated[str, StringConstraints(pattern=r"^\d{4}$")] = "0001"
    url_env: EnvName

    @property
    def target(self) -> str:
        return self.replication_group_id

    @property
    def url(self) -> str:
        """The connection URL, empty where the variable is not set."""
        return os.environ.get(self.url_env, "")


class Events(EcsService):
    """The Smart Contract Event Processor: an ECS service that reads a Stellar RPC and writes to the database."""

    rpc_url: HttpUrl
    rpc_backup_url: HttpUrl | None = None
    network_passphrase: Name
    metric_namespace: Name = "Nova/EventProcessor"
    cursor_table: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$")] = "event_cursor"
    events_table: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$")] = "contract_events"
    # As many as one filter of getEvents takes.
    contract_ids: Annotated[tuple[Contract, ...], Field(max_length=5)] = ()

    @property
    def target(self) -> str:
        return self.service


class Contacts(Declared):
    """Where people are told: every `<placeholder-...>` of the runbook that names a place."""

    slack_channel: Annotated[str, StringConstraints(pattern=r"^#[\w-]+$")]
    status_page_url: HttpUrl
    status_page_id: Name | None = None
    pagerduty_service_id: Name | None = None
    phone_numbers: tuple[Name, ...] = ()


class Postmortems(Declared):
    """Where post-mortems are exported, relative to NOVAOPS_POSTMORTEM_ROOT; and the repository that gets them, too."""

    folder: Annotated[str, StringConstraints(pattern=r"^[\w][\w./-]*$")] = "docs/ops/post-mortems"
    repository: Annotated[str, StringConstraints(pattern=r"^(/|https://|ssh://|file://|\w+@[\w.-]+:)\S*$")] | None = (
        None
    )
    branch: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w/-]{0,99}$")] = "post-mortems"

    @model_validator(mode="after")
    def _stays_inside(self) -> "Postmortems":
        if ".." in Path(self.folder).parts:
            raise ValueError("folder must not contain '..'")
        return self


class KeptDatabase(Declared):
    """A database of which only the backups are watched, beside the one that Nova runs on."""

    kind: Literal["instance", "cluster"]
    id: Name


class Backups(Declared):
    """What backups must be like: the policy that they are judged by, and how often they are read."""

    rpo_s: Annotated[int, Field(ge=10, le=7 * 86400)] = 900
    retention_days: Annotated[int, Field(ge=1, le=35)] = 7
    require_encryption: bool = True
    keep_manual_days: Annotated[int, Field(ge=1, le=3650)] = 30
    copy_to_region: Region | None = None
    copy_kms_key: Name | None = None
    drill_every_days: Annotated[int, Field(ge=1, le=366)] | None = None
    collect_every_s: Annotated[int, Field(ge=2, le=900)] = 120
    also: tuple[KeptDatabase, ...] = ()


class RuleChange(Declared):
    """What an environment changes of a rule's defaults."""

    above: float | None = None
    below: float | None = None
    for_s: Annotated[int, Field(ge=1, le=86400)] | None = None


class Environment(Declared):
    """One declared Nova deployment: region, account, role to assume and its services."""

    name: Slug
    title: Name
    production: bool
    region: Region
    account_id: Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
    reader_role_arn: Annotated[str, StringConstraints(pattern=r"^arn:aws[\w-]*:iam::\d{12}:role/.+$")] | None = None
    actor_role_arn: Annotated[str, StringConstraints(pattern=r"^arn:aws[\w-]*:iam::\d{12}:role/.+$")] | None = None
    needs_approval: bool = True
    collect_every_s: Annotated[int, Field(ge=2, le=300)] = 60
    metric_period_s: Literal[5, 10, 30, 60] = 60
    verify_for_s: Annotated[int, Field(ge=0, le=3600)] = 60
    poll_every_s: Annotated[float, Field(gt=0, le=60)] = 5
    api: Api
    database: Database
    cache: RedisGroup
    events: Events
    contacts: Contacts
    slack: Slack | None = None
    status_page: StatusPage | None = None
    pagerduty: PagerDuty | None = None
    postmortems: Postmortems = Postmortems()
    # Post-mortems give times in it beside UTC; None: UTC alone.
    time_zone: TimeZone | None = None
    drills: Drills = Drills()
    backups: Backups = Backups()
    alarms: dict[Name, Slug] = Field(default_factory=dict)
    hooks: Hooks = Hooks()
    rules: dict[Slug, RuleChange] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _page_is_named(self) -> "Environment":
        if self.status_page and not self.contacts.status_page_id:
            raise ValueError("status_page is declared, so contacts.status_page_id is required")
        return self

    def __hash__(self) -> int:
        return hash(self.name)

    @model_validator(mode="after")
    def _backups_hang_together(self) -> "Environment":
        if self.backups.copy_to_region == self.region:
            raise ValueError("backups.copy_to_region must be another region than the environment's own")
        names = [one.id for one in self.kept_databases]
        if len(set(names)) < len(names):
            raise ValueError("backups.also names a database twice")
        return self

    @property
    def kept_databases(self) -> tuple[KeptDatabase, ...]:
        """Every database whose backups are watched, Nova's own first."""
        return (KeptDatabase(kind=self.database.kind, id=self.database.target), *self.backups.also)

    @property
    def addresses(self) -> dict[str, str]:
        """Where everything that NovaOps reaches besides AWS is, by the names that people read."""
        told = {"Slack": self.slack, "The status page": self.status_page, "PagerDuty": self.pagerduty}
        return {name: system.base_url for name, system in told.items() if system} | {
            "The database": self.database.dsn,
            "Redis": self.cache.url,
            "The Stellar RPC": str(self.events.rpc_url),
            "The backup RPC": str(self.events.rpc_backup_url or ""),
            "The health page": str(self.api.health_url or ""),
            "The alarm queue": self.hooks.queue_url or "",
        }

    def in_region(self, region: str) -> "Environment":
        """The same environment as its account looks from another region."""
        return self.model_copy(update={"region": region})

    def target(self, kind: str) -> str:
        """The name of what an action on a service acts upon (ECS service, DB instance, replication group)."""
        if kind not in SERVICE_KINDS:
            raise KeyError(kind)
        return str(getattr(self, kind).target)


def read(path: Path) -> dict[str, Environment]:
    """Every environment declared in the file. Raises ImproperlyConfigured naming each wrong key and what is allowed."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("environments", {})
    except OSError as failure:
        raise ImproperlyConfigured(f"{path} cannot be read ({failure.strerror}). Set NOVAOPS_NOVA_TOML.") from failure
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise ImproperlyConfigured(f"{path} is not valid TOML: {failure}") from failure
    if not isinstance(tables, dict) or not tables:
        raise ImproperlyConfigured(f"{path} declares no [environments.<name>] table.")
    return {name: _validated(path, name, _expanded(path, table)) for name, table in tables.items()}


def _expanded(path: Path, value: Any) -> Any:
    """The value with every `${NAME}` replaced by that environment variable: addresses that differ per machine."""
    if isinstance(value, dict):
        return {key: _expanded(path, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expanded(path, inner) for inner in value]
    if not isinstance(value, str):
        return value
    unset = [name for name in VARIABLE.findall(value) if name not in os.environ]
    if unset:
        raise ImproperlyConfigured(f"{path} uses ${{{unset[0]}}}, but the environment variable {unset[0]} is not set.")
    return VARIABLE.sub(lambda match: os.environ[match[1]], value)


def _validated(path: Path, name: str, table: Any) -> Environment:
    try:
        return Environment.model_validate({**table, "name": name} if isinstance(table, dict) else table)
    except ValidationError as failure:
        wrong = [_sentence(name, error) for error in failure.errors()]
        raise ImproperlyConfigured(f"{path}: " + "; ".join(wrong)) from failure


def _sentence(name: str, error: Any) -> str:
    key = ".".join(str(part) for part in ("environments", name, *error["loc"]))
    return f"{key}: {re.sub('^Value error, ', '', error['msg'])}"


@cache
def environments() -> dict[str, Environment]:
    """The environments of this installation, in the order of the file."""
    return read(settings.NOVA_TOML)


def default() -> Environment:
    """The environment a page shows where none is asked for: the first declared."""
    return next(iter(environments().values()))


def get(name: str) -> Environment | None:
    """The environment of that name, None where it is not declared."""
    return environments().get(name)
