"""Where a snapshot comes from: the tags that our runs give what they make, written here and read here."""

import re
from collections.abc import Mapping
from typing import Any

from backups.names import RUN_TAG
from novaops.runbook.action import FromRun

BY_TAG, REASON_TAG, DEPLOYMENT_TAG = "novaops:by", "novaops:reason", "novaops:deployment"
# Keeps a manual snapshot from being cleaned up, whoever set it.
KEEP_TAG = "novaops:keep"
NUMBER = re.compile(r"[0-9]{1,18}")


def tags(*, deployment: str = "") -> list[dict[str, str | FromRun]]:
    """The tags of a snapshot that a run takes: which run, who asked for it, why, and for which deployment."""
    told: dict[str, str | FromRun] = {
        RUN_TAG: FromRun("{run}"),
        BY_TAG: FromRun("{by}"),
        REASON_TAG: FromRun("{reason}"),
    }
    if deployment:
        told[DEPLOYMENT_TAG] = deployment
    return [{"Key": key, "Value": value} for key, value in told.items()]


def of(tags: Mapping[str, str]) -> dict[str, Any]:
    """What the tags tell, as fields of a snapshot's row; empty where no run of ours took it."""
    run = tags.get(RUN_TAG, "")
    return {
        "run": int(run) if NUMBER.fullmatch(run) else None,
        "taken_by": tags.get(BY_TAG, ""),
        "reason": tags.get(REASON_TAG, ""),
        "deployment": tags.get(DEPLOYMENT_TAG, ""),
    }
