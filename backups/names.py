"""How snapshots and restored instances are named: the runbook's scheme, made unique by the run's number.

`pre-deploy-<date>` and `nova-restored-<date>` would be taken by the second of a day. With the number of the run behind
the date every name is known to one run only, whatever is asked for at the same moment, so that an effect that is found
again is known by its name.
"""

from datetime import date

from novaops.runbook.action import FromRun

RUN_TAG = "novaops:run"
PRE_DEPLOY, RESTORED = "pre-deploy", "nova-restored"


def named(prefix: str, day: date) -> FromRun:
    """The identifier of what a run makes on that day (UTC): `pre-deploy-2026-11-24-17` in run 17."""
    return FromRun(f"{prefix}-{day.isoformat()}-{{run}}")


def run_tag() -> dict[str, str | FromRun]:
    """The tag that says which run made it."""
    return {"Key": RUN_TAG, "Value": FromRun("{run}")}
