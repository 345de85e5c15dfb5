"""The Smart Contract Event Processor: how far it is behind the ledger, and the RPCs that it reads."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboard import gaps
from dashboard.models import Severity
from dashboard.samples import Value
from dashboard.services import stellar
from dashboard.services.base import (
    Asking,
    Chart,
    Columns,
    Observation,
    Rule,
    Series,
    Service,
    Setting,
    Source,
    TileValue,
    register,
)
from dashboard.services.containers import ECS_SERIES, TASK_DEFINITION, ecs_values, missing_tasks, read_variables
from novaops.cloud import logs, nova_db, stellar_rpc
from novaops.environment import Environment

ECS = "AWS/ECS"
OF_SERVICE = ("ClusterName", "ServiceName")
CURSOR = "Cursor"
RPC = "RPC"
BACKUP = "Backup RPC"
GAPS = "Gap search"
LOG = "Event processor's log"
ERRORS = "?ERROR ?CRITICAL"
LOG_INTERVALS = 2
MOST_LINES, LONGEST_LINE = 5, 300
# A processor that follows the ledger is a few ledgers behind: there is nothing to drain.
FOLLOWING_LEDGERS = 3
# Shown as not draining: an estimate beyond this helps nobody.
NEVER_S = 30 * 86400.0


def read_tasks(asking: Asking) -> Observation:
    """Desired, running and pending tasks, and the deployments."""
    return ecs_values(asking, asking.environment.events)


def read_settings(asking: Asking) -> Observation:
    """The settings of the revision that runs."""
    return read_variables(asking, asking.environment.events)


def read_cursor(asking: Asking) -> Observation:
    """The last ledger that the processor has finished, by its stored cursor (FACTS A5)."""
    environment = asking.environment
    return Observation(
        values={"cursor_ledger": nova_db.processed_ledger(environment.database.dsn, environment.events.cursor_table)}
    )


def read_gaps(asking: Asking) -> Observation:
    """Ledgers whose events an RPC has and the database has not."""
    before = asking.before.get("events", {})
    known = [(int(one["first"]), int(one["last"])) for one in before.get("gaps", [])]
    quiet = [(int(first), int(last)) for first, last in before.get("quiet", [])]
    found, checked = gaps.search(asking.environment, stellar.oldest_retained(asking), known, quiet)
    return Observation(
        values={"missed_ledgers": sum(gap.last - gap.first + 1 for gap in found)},
        facts={
            "gaps": [{"first": gap.first, "last": gap.last, "known_to": list(gap.known_to)} for gap in found],
            "quiet": [list(stretch) for stretch in checked],
        },
    )


def read_log(asking: Asking) -> Observation:
    """How many error lines the processor wrote lately, and the last of them."""
    environment, now = asking.environment, datetime.now(UTC)
    since = now - timedelta(seconds=LOG_INTERVALS * environment.collect_every_s)
    found = logs.filter_events(environment, environment.events.log_group, start=since, end=now, pattern=ERRORS)
    told = [{"at": line.at.isoformat(), "message": line.message[:LONGEST_LINE]} for line in found]
    earlier = [line for line in asking.before.get("events", {}).get("error_lines", []) if line not in told]
    return Observation(values={"error_lines": len(found)}, facts={"error_lines": [*earlier, *told][-MOST_LINES:]})


@register
class Events(Service):
    """Reads contract events from a Stellar RPC and writes them to the database."""

    kind = "events"
    title = "Event processor"
    series = (
        Series(name="cpu", unit="%", metric=f"{ECS}:CPUUtilization", by=OF_SERVICE),
        Series(name="memory", unit="%", metric=f"{ECS}:MemoryUtilization", by=OF_SERVICE),
        # The processor's own figure, to compare with the lag that is measured from outside.
        Series(name="blocks_behind", unit="ledgers", metric="events:blocks_behind", by=("ServiceName",)),
        *ECS_SERIES,
        Series(name="error_lines", unit="lines", source=LOG),
        Series(name="rpc_healthy", unit="", source=RPC),
        Series(name="rpc_ledger", unit="ledger", source=RPC),
        Series(name="rpc_oldest", unit="ledger", source=RPC),
        Series(name="rpc_retained", unit="ledgers", source=RPC),
        Series(name="rpc_age", unit="s", source=RPC),
        Series(name="rpc_took", unit="s", source=RPC),
        Series(name="ledger_time", unit="s", source=RPC),
        Series(name="cursor_ledger", unit="ledger", source=CURSOR),
        Series(name="lag_ledgers", unit="ledgers", source=f"{RPC} minus cursor"),
        Series(name="lag_s", unit="s", source=f"{RPC} minus cursor"),
        Series(name="rate_in", unit="ledgers/s", source=RPC),
        Series(name="rate_out", unit="ledgers/s", source=CURSOR),
        Series(name="eta_s", unit="s", source=f"{RPC} minus cursor"),
        Series(name="replayable", unit="ledgers", source=f"{RPC} minus cursor"),
    )
    seen_at_backup = (
        Series(name="backup_healthy", unit="", source=BACKUP),
        Series(name="backup_ledger", unit="ledger", source=BACKUP),
        Series(name="backup_retained", unit="ledgers", source=BACKUP),
        Series(name="backup_took", unit="s", source=BACKUP),
    )
    # Without the contracts' names an RPC tells of everybody's events, and any silence would look like a gap.
    seen_by_contract = (Series(name="missed_ledgers", unit="ledgers", source=GAPS),)
    rules = (
        Rule(
            key="event-lag",
            title="Contract Event Processing Lag",
            series="lag_ledgers",
            says="Event processing is {value:ledger} behind",
            above=50,
            band=40,
            section="Contract Event Processing Lag",
            causes=("the event processor hangs", "the Stellar RPC is not healthy", "more events than it can write"),
            offers=("restart-event-processor", "replay-events"),
        ),
        Rule(
            key="missed-ledgers",
            title="Missed ledgers",
            series="missed_ledgers",
            says="Contract events of up to {value:ledger} are not in the database",
            above=0,
            for_s=60,
            section="Contract Event Processing Lag",
            causes=("the processor skipped ledgers", "an RPC that left events out", "rows that were lost in a restore"),
            offers=("replay-events",),
        ),
        Rule(
            key="rpc-unhealthy",
            title="Stellar RPC not healthy",
            series="rpc_healthy",
            says="The Stellar RPC of the event processor is not healthy",
            below=1,
            for_s=60,
            section="Contract Event Processing Lag",
            causes=("the RPC is down or unreachable", "the RPC is behind the network"),
            offers=("switch-rpc",),
        ),
        Rule(
            key="backup-rpc-unhealthy",
            title="Backup RPC not healthy",
            series="backup_healthy",
            says="The backup Stellar RPC is not healthy: there is nothing to switch to",
            below=1,
            severity=Severity.WARN,
            section="Contract Event Processing Lag",
            causes=("the RPC is down or unreachable",),
        ),
        Rule(
            key="processor-stopped",
            title="Event processor not running",
            series="missing_tasks",
            says="The event processor has no running task",
            above=0,
            for_s=120,
            section="Contract Event Processing Lag",
            causes=("the task stops right after its start", "no capacity"),
            offers=("restart-event-processor",),
        ),
        Rule(
            key="processor-deployment-failed",
            title="Failed deployment of the event processor",
            series="failed_deployments",
            says="A deployment of the event processor failed, or cannot start its task",
            above=0,
            for_s=60,
            severity=Severity.WARN,
            section="Contract Event Processing Lag",
            causes=("a START_BLOCK that the RPC does not retain", "a release that does not start", "no capacity"),
            offers=("restart-event-processor", "replay-events"),
        ),
    )
    tile = (
        TileValue(label="Behind", series="lag_ledgers", unit="ledgers"),
        TileValue(label="In time", series="lag_s", unit="s"),
        TileValue(label="Drained in", series="eta_s", unit="s"),
    )
    charts = (
        Chart(key="lag", title="Behind the ledger", series=("lag_ledgers", "blocks_behind")),
        Chart(key="time", title="Behind in time, and until drained", series=("lag_s", "eta_s")),
        Chart(key="rate", title="Ledgers in and out", series=("rate_out", "rate_in")),
        Chart(key="rpc", title="Answer of the RPCs", series=("rpc_took", "backup_took")),
        Chart(key="missed", title="Ledgers whose events are missing", series=("missed_ledgers",)),
        Chart(key="cpu", title="CPU and memory", series=("cpu", "memory")),
        Chart(key="tasks", title="Tasks", series=("running", "desired", "pending")),
    )
    settings = (
        Setting(label="RPC_URL", fact="variables.RPC_URL", source=TASK_DEFINITION),
        Setting(label="START_BLOCK", fact="variables.START_BLOCK", source=TASK_DEFINITION),
        Setting(label="Revision", fact="task_definition", source="ECS"),
    )
    spark = "lag_ledgers"
    spark_label = "Ledgers behind over 3 hours"

    def own_series_in(self, environment: Environment) -> tuple[Series, ...]:
        backup = self.seen_at_backup if environment.events.rpc_backup_url else ()
        contract = self.seen_by_contract if environment.events.contract_ids else ()
        found = (*self.series, *backup, *contract)
        own = f"{environment.events.metric_namespace}:"
        return tuple(replace(series, metric=series.metric.replace("events:", own, 1)) for series in found)

    def sources_in(self, environment: Environment) -> tuple[Source, ...]:
        sources = (
            Source(name="ECS", read=read_tasks),
            Source(name=TASK_DEFINITION, read=read_settings),
            Source(name=RPC, read=stellar.read_rpc),
            Source(name=CURSOR, read=read_cursor),
            Source(name=LOG, read=read_log),
        )
        backup = (Source(name=BACKUP, read=stellar.read_other),) if environment.events.rpc_backup_url else ()
        contract = (Source(name=GAPS, read=read_gaps),) if environment.events.contract_ids else ()
        return (*sources, *backup, *contract)

    def dimensions(self, environment: Environment, node: str) -> dict[str, str]:
        return {"ClusterName": environment.events.cluster, "ServiceName": environment.events.service}

    def derive(self, environment: Environment, new: Columns, before: Mapping[str, Value]) -> Columns:
        """The lag against the newest ledger that either RPC knows, and how long it takes to drain (FACTS A5)."""
        derived: dict[str, dict[datetime, float]] = {"missing_tasks": missing_tasks(new)}
        for at, cursor in new.get("cursor_ledger", {}).items():
            heads = [new[label][at] for label in ("rpc_ledger", "backup_ledger") if at in new.get(label, {})]
            if heads:
                for label, value in _lag(new, before, at, cursor, max(heads)).items():
                    derived.setdefault(label, {})[at] = value
        if "lag_ledgers" in derived and "lag_ledgers" not in before:
            # Of the time before anybody measured from outside, only the processor's own figures tell.
            derived["lag_ledgers"] = {**new.get("blocks_behind", {}), **derived["lag_ledgers"]}
        return derived


def _lag(new: Columns, before: Mapping[str, Value], at: datetime, cursor: float, head: float) -> dict[str, float]:
    lag = max(head - cursor, 0)
    ledger_s = new.get("ledger_time", {}).get(at) or _before(before, "ledger_time", stellar_rpc.LEDGER_S)
    found = {"lag_ledgers": lag, "lag_s": lag * ledger_s}
    if at in new.get("rpc_oldest", {}):
        found["replayable"] = cursor - new["rpc_oldest"][at]
    came, went = _rate(before.get("rpc_ledger"), at, head), _rate(before.get("cursor_ledger"), at, cursor)
    if came is None or went is None:
        return found
    return {**found, "rate_in": came, "rate_out": went, "eta_s": _eta_s(lag, went - came)}


def _before(before: Mapping[str, Value], label: str, default: float) -> float:
    return before[label].value if label in before else default


def _rate(earlier: Value | None, at: datetime, value: float) -> float | None:
    """Ledgers a second since the last round."""
    if earlier is None or earlier.at >= at:
        return None
    return max(value - earlier.value, 0) / (at - earlier.at).total_seconds()


def _eta_s(lag: float, drained_a_second: float) -> float:
    """In how many seconds the lag is gone; NEVER_S where it does not shrink."""
    if lag <= FOLLOWING_LEDGERS:
        return 0.0
    return min(lag / drained_a_second, NEVER_S) if drained_a_second > 0 else NEVER_S
