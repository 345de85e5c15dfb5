"""Rebooting a simulated DB instance, with and without failover, and stopping and starting it."""

from datetime import timedelta

from novaops.sandbox.aws.query import Document, is_true
from novaops.sandbox.aws.rds_model import Instance, available, find, restarted
from novaops.sandbox.aws.wire import AwsError, Params
from novaops.sandbox.world import world

RECENT_FAILOVER_S = 600
"""Simulated seconds in which RDS may abandon a second forced failover (FACTS B1, RDS-EVENT-0034)."""
ABANDONED = (
    "Abandoning user requested failover since a failover recently occurred on the database instance. "
    "The failover request was abandoned."
)


def reboot_db_instance(params: Params) -> Document:
    """RebootDBInstance: a minute of `rebooting`; with ForceFailover the standby takes over within 90 s."""
    instance = available(params.get("DBInstanceIdentifier"))
    failover = is_true(params.get("ForceFailover"))
    if failover and not instance.wire["MultiAZ"]:
        raise AwsError(
            "InvalidParameterCombination",
            "ForceFailover cannot be specified since the instance is not configured for either MultiAZ or "
            "High Availability",
        )
    abandoned = failover and _is_abandoned(instance)
    if failover and not abandoned:
        fail_over(instance)
        return {"DBInstance": instance.described()}
    instance.become("rebooting")
    if abandoned:
        _abandon(instance)
    else:
        _restart(instance)
    return {"DBInstance": instance.described()}


def stop_db_instance(params: Params) -> Document:
    """StopDBInstance: `stopping` for a minute, then `stopped` until started."""
    instance = available(params.get("DBInstanceIdentifier"))
    instance.become("stopping")

    def stopped() -> None:
        instance.become("stopped")
        instance.say("DB instance stopped", "notification")
        restarted(instance)

    world.later(60, stopped)
    return {"DBInstance": instance.described()}


def start_db_instance(params: Params) -> Document:
    """StartDBInstance: only from `stopped`."""
    instance = find(params.get("DBInstanceIdentifier"))
    if instance.status != "stopped":
        raise AwsError("InvalidDBInstanceState", f"Instance {instance.id} is not stopped.")
    instance.become("starting")

    def started() -> None:
        instance.become("available")
        instance.say("DB instance started", "notification")

    world.later(90, started)
    return {"DBInstance": instance.described()}


def _restart(instance: Instance) -> None:
    def shut_down() -> None:
        instance.say("DB instance shutdown", "availability")
        restarted(instance)

    def up() -> None:
        in_sync(instance)
        instance.say("DB instance restarted", "availability")

    world.later(5, shut_down)
    world.later(50, up)
    world.later(60, lambda: instance.become("available"))


def fail_over(instance: Instance) -> None:
    """The standby takes over within 90 s, whoever asked for it."""
    instance.become("rebooting")

    def started() -> None:
        instance.say("Multi-AZ instance failover started.", "failover")
        restarted(instance)

    def promoted() -> None:
        instance.say("Multi-AZ failover to standby complete - DNS propagation may take a few minutes.", "failover")
        instance.say("DB instance restarted", "availability")
        in_sync(instance)

    def completed() -> None:
        swap_zones(instance)
        instance.failed_over_at = world.now()
        instance.say("Multi-AZ instance failover completed.", "failover")

    world.later(5, started)
    world.later(60, promoted)
    world.later(80, completed)
    world.later(90, lambda: instance.become("available"))


def _abandon(instance: Instance) -> None:
    """Accepted, and then nothing happens: no restart, no other zone, only an event that says so."""
    world.later(10, lambda: instance.say(ABANDONED, "failover"))
    world.later(15, lambda: instance.become("available"))


def _is_abandoned(instance: Instance) -> bool:
    """Soon after a failover, one request in two is abandoned; which one is drawn from the world's seed."""
    if instance.failed_over_at is None:
        return False
    soon = timedelta(seconds=world.seconds(RECENT_FAILOVER_S))
    return world.now() - instance.failed_over_at < soon and int(world.hex_id(2), 16) < 0x80


def swap_zones(instance: Instance) -> None:
    """The standby's zone becomes the primary's and the other way round."""
    zone, standby = instance.wire["AvailabilityZone"], instance.wire["SecondaryAvailabilityZone"]
    instance.wire.update(AvailabilityZone=standby, SecondaryAvailabilityZone=zone)


def in_sync(instance: Instance) -> None:
    """A restart applies the parameters that waited for one."""
    for group in instance.wire["DBParameterGroups"]:
        group["ParameterApplyStatus"] = "in-sync"
