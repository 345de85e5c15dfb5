"""NovaOps' own sight: what the AWS API answers it, and whether its rounds come. No service of Nova's, so no tile."""

from collections.abc import Mapping
from datetime import datetime

from dashboard.models import Severity
from dashboard.samples import Value
from dashboard.services.base import Columns, Rule, Series, Service, register
from novaops.cloud.aws import Tally
from novaops.environment import Environment

AWS = "AWS API"
SELF = "NovaOps"
SECTION = "Incident Response Checklist"


def told(tally: Tally) -> dict[str, float]:
    """The values of a round's tally."""
    return {"aws_calls": tally.sent, "aws_throttled": tally.throttled, "aws_failed": tally.failed}


@register
class NovaOps(Service):
    """The eyes of NovaOps: while one of its alerts fires, the tiles beside it may soon be old."""

    kind = "novaops"
    title = "NovaOps itself"
    series = (
        Series(name="aws_calls", unit="calls", source=AWS),
        Series(name="aws_throttled", unit="calls", source=AWS),
        Series(name="aws_failed", unit="calls", source=AWS),
        Series(name="throttled_share", unit="%", source=AWS),
        Series(name="failed_share", unit="%", source=AWS),
        Series(name="missed_rounds", unit="rounds", source=SELF),
    )
    rules = (
        Rule(
            key="aws-throttling",
            title="AWS throttles NovaOps",
            series="throttled_share",
            says="AWS throttles {value:.0f} % of what NovaOps asks: values may come late",
            above=10,
            band=5,
            for_s=120,
            severity=Severity.WARN,
            quiet_ok=True,
            section=SECTION,
            causes=("other programs in the account that ask too often", "a collect_every_s that is too short"),
        ),
        Rule(
            key="aws-failing",
            title="The AWS APIs do not answer",
            series="failed_share",
            says="AWS does not answer {value:.0f} % of what NovaOps asks: neither values nor actions can be relied on",
            above=50,
            band=25,
            for_s=60,
            quiet_ok=True,
            section=SECTION,
            causes=("an outage of AWS in the region", "the way from here to AWS"),
        ),
        Rule(
            key="collector-dead",
            title="Nothing is collected",
            series="missed_rounds",
            says="NovaOps has missed {value:round} of collection",
            above=2,
            for_s=1,
            quiet_ok=True,
            section=SECTION,
            causes=("a collector that hangs or breaks", "workers that are too busy"),
        ),
    )

    def derive(self, environment: Environment, new: Columns, before: Mapping[str, Value]) -> Columns:
        """The share of calls that were throttled, and that failed."""
        calls = new.get("aws_calls", {})
        return {
            "throttled_share": _shares(new.get("aws_throttled", {}), calls),
            "failed_share": _shares(new.get("aws_failed", {}), calls),
        }


def _shares(part: Mapping[datetime, float], calls: Mapping[datetime, float]) -> dict[datetime, float]:
    return {at: 100 * count / calls[at] for at, count in part.items() if calls.get(at)}
