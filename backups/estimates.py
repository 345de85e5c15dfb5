"""What a restored instance costs and how long a restore takes, and from what that is estimated."""

from statistics import median
from typing import Any

from backups.models import Restore
from novaops.environment import Environment

HOURS_A_MONTH = 730.0
HISTORY = 10
USUAL_MIN = 30


def usd_an_hour(environment: Environment, instance_class: str, size_gb: int, *, multi_az: bool) -> float | None:
    """What the instance costs an hour by the prices of nova.toml; None where they do not name its class."""
    prices = environment.database.restores
    of_class = prices.class_usd_an_hour.get(instance_class)
    if of_class is None:
        return None
    of_storage = size_gb * (prices.storage_usd_a_gib_month or 0) / HOURS_A_MONTH
    return (of_class + of_storage) * (2 if multi_az else 1)


def cost(environment: Environment, wanted: dict[str, Any], size_gb: int) -> str:
    """The cost in words, with what it is made of."""
    name, multi_az = str(wanted.get("DBInstanceClass", "")), bool(wanted.get("MultiAZ"))
    price = usd_an_hour(environment, name, size_gb, multi_az=multi_az)
    if price is None:
        return f"not known: nova.toml has no price for {name} (class_usd_an_hour)"
    zones = "in two zones" if multi_az else "in one zone"
    parts = f"{name} and {size_gb} GiB {zones}, by the prices in nova.toml"
    return f"about {price:.2f} USD an hour, {price * 24:.0f} a day, until it is deleted ({parts})"


def duration(environment: Environment) -> str:
    """How long a restore takes until its database is proven, and from what that is known."""
    past = Restore.objects.filter(environment=environment.name, state=Restore.State.PROVEN, proven_at__isnull=False)
    took_s = [(one.proven_at - one.asked_at).total_seconds() for one in past[:HISTORY] if one.proven_at]
    if not took_s:
        return f"about {USUAL_MIN} min, more for large databases; none was restored here yet"
    return f"about {max(1, round(median(took_s) / 60))} min, the median of the last {len(took_s)} here"
