"""How snapshots and restored instances are named: the runbook's scheme, made unique by the run's number.

`pre-deploy-<date>` and `nova-restored-<date>` would be taken by the second of a day. With the number of the run behind
the date every name is known to one run only, whatever is asked for at the same moment, so that an effect that is found
again is known by its name. Snapshots also carry the environment, because several may share an account and a region.
"""

import re
from datetime import date

from novaops.runbook.action import FromRun

RUN_TAG, ENVIRONMENT_TAG = "novaops:run", "novaops:environment"
PRE_DEPLOY, RESTORED = "pre-deploy", "nova-restored"
RESTORED_NAME = re.compile(rf"{RESTORED}-\d{{4}}-\d\d-\d\d-\d+")


# The name of a cluster's snapshot has 63 characters at most: so many are left beside a prefix, a date and a run.
MOST_OF_ENVIRONMENT = 20
# And so many of a copied one's name, within 255.
MOST_OF_SNAPSHOT = 200
HYPHENS = re.compile(r"-{2,}")


def named(prefix: str, day: date, environment: str = "") -> FromRun:
    """The identifier of what a run makes on that day (UTC): `pre-deploy-2026-11-24-staging-17` in run 17 of staging."""
    where = HYPHENS.sub("-", environment)[:MOST_OF_ENVIRONMENT].strip("-")
    return FromRun("-".join(filter(None, (prefix, day.isoformat(), where, "{run}"))))


def copy_named(snapshot: str) -> FromRun:
    """The identifier of a run's copy: `rds-nova-db-2026-11-24-03-07-copy-17` of `rds:nova-db-2026-11-24-03-07`."""
    return FromRun(f"{snapshot.replace(':', '-')[:MOST_OF_SNAPSHOT].strip('-')}-copy-{{run}}")


def run_tag() -> dict[str, str | FromRun]:
    """The tag that says which run made it."""
    return {"Key": RUN_TAG, "Value": FromRun("{run}")}
