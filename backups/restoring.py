"""What every restore shares: production's settings, room for one more instance, the new instance, and its proof."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from backups import carry_over, contents, estimates
from backups.names import ENVIRONMENT_TAG, RESTORED, RUN_TAG, named, run_tag
from backups.restore_forms import changes as changed_settings
from novaops.cloud import rds, rds_restores, rds_snapshots
from novaops.environment import Environment
from novaops.runbook.action import (
    MOVING,
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    Precheck,
    Progress,
    Repeat,
    Risk,
    Seen,
    Verdict,
    Verify,
    Wait,
    sendable,
)

TIMEOUT_S = 6 * 3600.0
# A restored instance in one of these does not become available by waiting (FACTS B2).
BROKEN = frozenset(
    {"failed", "incompatible-network", "incompatible-parameters", "incompatible-restore", "restore-error"}
)
EVENTS_BACK = timedelta(days=1)
AVAILABLE = "available"
IAM = (
    "rds:AddRoleToDBInstance",
    "rds:AddTagsToResource",
    "rds:DescribeAccountAttributes",
    "rds:DescribeDBInstances",
    "rds:DescribeEvents",
    "rds:DescribeOrderableDBInstanceOptions",
    "rds:ModifyDBInstance",
    "iam:PassRole",
)
Facts = Mapping[str, Any]


class Restore(Action):
    """A new instance set up as production is, from a source that a subclass knows, and then proven."""

    service = "database"
    risk = Risk.DISRUPTIVE
    runbook_section = "Backup Strategy: Restore from Snapshot"
    expected_s = 1800.0
    affects = (
        "Nobody: the new instance stands beside production, which is only read. It costs money until it is deleted."
    )
    undo = "Delete the restored instance: it is listed under Backups until somebody does."
    # Settings that are never production's, by key.
    fixed: ClassVar[dict[str, Any]] = {}

    def applies(self, environment: Environment) -> bool:
        """Only where the database is an instance, unless a subclass knows better."""
        return environment.database.kind == "instance"

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """The instances it makes, not production: that can be failed over or rebooted while a restore takes hours."""
        return (RESTORED,)

    def look(self, ctx: Context) -> dict[str, Any]:
        """The source, production's settings and the room there is. What a plan chose stays chosen at its run."""
        production = _production(ctx.environment)
        source, moving = self.source(ctx)
        return {
            "source": source,
            "production": _copied(production, self._changes(ctx)) if production else None,
            "day": ctx.facts.get("day") or datetime.now(UTC).date().isoformat(),
            MOVING: {**moving, **_room(ctx.environment, production, self._changes(ctx))},
        }

    def source(self, ctx: Context) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is restored: what lasts of it, and what moves by itself. `name` says it in words."""
        raise NotImplementedError

    def of_source(self, ctx: Context) -> Iterable[Precheck]:
        """Whether the source can be restored."""
        raise NotImplementedError

    def call(self, ctx: Context) -> tuple[Any, dict[str, Any]]:
        """The restoring operation and those of its parameters that name the new instance and the source."""
        raise NotImplementedError

    def before(self, ctx: Context) -> Iterable[AnyStep]:
        """What has to be made of the source first."""
        return ()

    def after(self, ctx: Context) -> Iterable[AnyStep]:
        """What is to be taken away again once the instance is there."""
        return ()

    def _changes(self, ctx: Context) -> dict[str, Any]:
        return {**changed_settings(ctx.params), **self.fixed}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """Production is known, the source can be restored, and there is room for one more instance."""
        production = ctx.facts["production"]
        yield Precheck.require(
            production is not None,
            "Production's settings are read.",
            f"RDS does not know {ctx.environment.database.target}.",
        )
        yield from self.of_source(ctx)
        if production is not None:
            yield from _there_is_room(production, ctx.facts[MOVING])
        if not ctx.environment.database.dsn and not ctx.environment.database.restores.dsn_template:
            sentence = "No connection to Nova's database is configured: the restored rows will not be looked at."
            yield Precheck(state="failed", sentence=sentence)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """A new instance, each setting that it takes over from production, and what it costs."""
        yield Change(what="Instance", before="none", after=str(named(RESTORED, date.fromisoformat(ctx.facts["day"]))))
        yield Change(what="Data", before="none", after=str(ctx.facts["source"].get("name") or "nothing"))
        copied = ctx.facts["production"]
        if copied is None:
            return
        for setting in carry_over.SETTINGS:
            before, after = copied["has"].get(setting.name), copied["wanted"].get(setting.name)
            if before is not None or after is not None:
                yield Change(what=setting.label, before=f"production: {words(before)}", after=words(after))
        size = int(copied["storage"].get("AllocatedStorage", 0))
        yield Change(what="Storage", before=_stored(copied["storage"]), after="comes with the data, its key too")
        yield Change(what="Cost", before="nothing", after=estimates.cost(ctx.environment, copied["wanted"], size))
        yield Change(what="Time", before="none", after=ctx.facts[MOVING]["takes"])

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Restore once by its own name, set what a restore does not take, compare with production, ask the database."""
        copied = ctx.facts["production"]
        if copied is None or not ctx.facts["source"].get("name"):
            return
        yield from self.before(ctx)
        yield self._restore(ctx, copied)
        yield Wait(key="available", title="RDS has the new instance", look=_available, timeout_s=TIMEOUT_S)
        yield from self.after(ctx)
        yield from _completed(ctx, copied)
        yield Verify(
            key="compare",
            title="It is set up as production is",
            look=partial(_compared, self._changes(ctx)),
            timeout_s=600,
        )
        yield from contents.steps(ctx.environment, "available")

    def _restore(self, ctx: Context, copied: Facts) -> Effect:
        operation, names = self.call(ctx)
        mark = {"Key": ENVIRONMENT_TAG, "Value": ctx.environment.name}
        return Effect(
            key="restore",
            title=f"Restore {ctx.facts['source']['name']}",
            call=operation,
            params={
                **names,
                **carry_over.at_once(copied["wanted"]),
                "Tags": [*copied["tags"], mark, run_tag()],
            },
            repeat=Repeat.NAMED,
            before=nothing,
            observe=_seen,
        )


def _completed(ctx: Context, copied: Facts) -> Iterable[AnyStep]:
    """What a restore does not take: the settings that only a modify sets, and the roles."""
    more = carry_over.afterwards(copied["wanted"])
    if more:
        yield Effect(
            key="modify",
            title="Set what a restore does not take",
            call=rds_restores.MODIFY,
            params={"DBInstanceIdentifier": name_of(ctx), **more, "ApplyImmediately": True},
            repeat=Repeat.CONVERGING,
            before=nothing,
            observe=_modified,
        )
        yield Wait(key="modified", title="RDS has changed it", look=_available, timeout_s=TIMEOUT_S)
    for number, role in enumerate(copied["roles"], 1):
        yield Effect(
            key=f"role-{number}",
            title=f"Let it use {role['RoleArn'].rpartition('/')[2]}",
            call=rds_restores.ADD_ROLE,
            params={"DBInstanceIdentifier": name_of(ctx), **role},
            repeat=Repeat.NAMED,
            before=nothing,
            observe=partial(_has_role, role),
        )


def _production(environment: Environment) -> dict[str, Any] | None:
    """Nova's instance, or the writer of its cluster, as RDS describes it now."""
    name = environment.database.target
    if environment.database.kind == "cluster":
        name = rds.describe_cluster(environment, name).writer
    return rds_snapshots.settings(environment, name)


def _copied(production: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "has": carry_over.wanted(production, {}),
        "wanted": carry_over.wanted(production, changes),
        "tags": carry_over.tags(production),
        "roles": carry_over.roles(production),
        "storage": carry_over.storage(production),
        "engine_version": production["EngineVersion"],
    }


def _room(environment: Environment, production: dict[str, Any] | None, changes: dict[str, Any]) -> dict[str, Any]:
    """What AWS says of quotas and of the class, and which restored instances there are already."""
    if production is None:
        return {}
    quotas = rds_restores.quotas(environment)
    wanted = carry_over.wanted(production, changes)
    return {
        "quotas": {name: [one.used, one.most] for name, one in quotas.items()},
        "zones": list(
            rds_restores.zones_offering(
                environment, production["Engine"], production["EngineVersion"], wanted["DBInstanceClass"]
            )
        ),
        "takes": estimates.duration(environment),
        "others": [one.name for one in rds_restores.restored(environment, f"{RESTORED}-")],
    }


def _there_is_room(production: Facts, room: Facts) -> Iterable[Precheck]:
    size, wanted = int(production["storage"].get("AllocatedStorage", 0)), production["wanted"]
    for name, needed, unit in (("DBInstances", 1, "instances"), ("AllocatedStorage", size, "GiB of storage")):
        used, most = room["quotas"].get(name, (0, 0))
        if most:
            yield Precheck.require(
                used + needed <= most,
                f"{used} of {most} {unit} are used in the region.",
                f"{used} of {most} {unit} are used in the region, {needed} more do not fit: raise the quota or delete.",
            )
    zones, least = room["zones"], 2 if wanted.get("MultiAZ") else 1
    yield Precheck.require(
        len(zones) >= least,
        f"AWS offers {wanted['DBInstanceClass']} in {len(zones)} zones.",
        f"AWS offers {wanted['DBInstanceClass']} in {len(zones)} zones, {least} needed: choose another class.",
    )
    if room["others"]:
        sentence = f"{len(room['others'])} restored instances are there already: {', '.join(room['others'])}."
        yield Precheck(state="warning", sentence=sentence)


def _stored(storage: Facts) -> str:
    key = str(storage.get("KmsKeyId", "")).rpartition("/")[2]
    encrypted = f"encrypted with {key}" if storage.get("StorageEncrypted") else "not encrypted"
    return f"production: {storage.get('AllocatedStorage')} GiB {storage.get('StorageType')}, {encrypted}"


def words(value: Any) -> str:
    """A setting as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        told = (f"{one['Name']}={one['Value']}" if isinstance(one, dict) else str(one) for one in value)
        return ", ".join(told) or "none"
    return "not set" if value is None else str(value)


def name_of(ctx: Context) -> Any:
    """The identifier of the new instance, known once the run is."""
    return named(RESTORED, date.fromisoformat(ctx.facts["day"]))


def nothing(_ctx: Context) -> dict[str, Any]:
    """A named or converging effect is known by what is there: nothing to compare with."""
    return {}


def found_of(ctx: Context) -> dict[str, Any] | None:
    """The instance of the run's name, where it carries the run's tag: another's of that name is not ours."""
    found = rds_snapshots.settings(ctx.environment, sendable(name_of(ctx), ctx))
    return found if found and rds_snapshots.tags_of(found).get(RUN_TAG) == str(ctx.run_id) else None


def _seen(ctx: Context, _before: dict[str, Any]) -> Seen | None:
    found = found_of(ctx)
    return Seen(sentence=f"RDS has {found['DBInstanceIdentifier']}: {found['DBInstanceStatus']}") if found else None


def _available(ctx: Context) -> Progress:
    found = found_of(ctx)
    if found is None:
        return Progress(verdict=Verdict.NOT_YET, sentence="RDS does not show it yet")
    name, status = found["DBInstanceIdentifier"], found["DBInstanceStatus"]
    if status in BROKEN:
        sentence = f"{name} is {status}: that needs someone in the RDS console."
        return Progress(verdict=Verdict.FAILED, sentence=sentence)
    if status != AVAILABLE or found.get("PendingModifiedValues"):
        return Progress(verdict=Verdict.NOT_YET, sentence=f"{name} is {status}{_newest_event(ctx, name)}")
    where = found["Endpoint"]
    result = {"instance": name, "host": where["Address"], "port": where["Port"]}
    return Progress(verdict=Verdict.DONE, sentence=f"{name} is available at {where['Address']}", result=result)


def _newest_event(ctx: Context, name: str) -> str:
    told = rds.events(ctx.environment, name, "db-instance", datetime.now(UTC) - EVENTS_BACK)
    return f"; RDS says: {told[-1].message}" if told else ""


def _modified(ctx: Context, _before: dict[str, Any]) -> Seen | None:
    found = found_of(ctx)
    want = carry_over.afterwards(ctx.facts["production"]["wanted"])
    if found is None or carry_over.afterwards(carry_over.wanted(found, {})) != want:
        return None
    return Seen(sentence="It has what was to be set")


def _has_role(role: dict[str, str], ctx: Context, _before: dict[str, Any]) -> Seen | None:
    found = found_of(ctx)
    return Seen(sentence="It has the role") if found and role in carry_over.roles(found) else None


def _compared(changes: dict[str, Any], ctx: Context) -> Progress:
    """Compare what RDS says of both now: production may have changed since the plan."""
    production = _production(ctx.environment)
    restored = found_of(ctx)
    if production is None or restored is None:
        return Progress(verdict=Verdict.FAILED, sentence="One of the two instances is gone.")
    different = carry_over.differences(production, restored, changes)
    if different:
        return Progress(verdict=Verdict.FAILED, sentence=f"Not as production: {'; '.join(different)}.")
    names = ", ".join(one.label for one in carry_over.SETTINGS if one.key in changes)
    changed = f", but for what was to be different: {names}" if changes else ""
    return Progress(verdict=Verdict.DONE, sentence=f"It is set up as production is{changed}.")
