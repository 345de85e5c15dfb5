"""The six steps of the runbook's incident response checklist, in its order and words."""

from dataclasses import dataclass
from enum import StrEnum

from novaops.environment import Environment


class StepKey(StrEnum):
    DETECT = "detect"
    ASSESS = "assess"
    COMMUNICATE = "communicate"
    MITIGATE = "mitigate"
    RESOLVE = "resolve"
    POSTMORTEM = "postmortem"


@dataclass(frozen=True, kw_only=True)
class Step:
    """`words` are the runbook's; `items` are its parts, with the environment's own places filled in."""

    key: StepKey
    title: str
    words: str
    items: tuple[str, ...]
    button: str


STEPS: tuple[Step, ...] = (
    Step(
        key=StepKey.DETECT,
        title="Detect",
        words="Alert fired via PagerDuty / CloudWatch, or user report received in support channel",
        items=(),
        button="Record a report",
    ),
    Step(
        key=StepKey.ASSESS,
        title="Assess",
        words=(
            "Check CloudWatch dashboards, application logs (ECS log groups), error rates, and affected service health"
        ),
        items=(
            "CloudWatch dashboards",
            "Application logs ({log_groups})",
            "Error rates",
            "Affected service health",
        ),
        button="Set what is affected",
    ),
    Step(
        key=StepKey.COMMUNICATE,
        title="Communicate",
        words="Post in {slack_channel}, update status page at {status_page_url}, assign incident commander",
        items=("Post in {slack_channel}", "Update status page at {status_page_url}", "Assign incident commander"),
        button="Tell people",
    ),
    Step(
        key=StepKey.MITIGATE,
        title="Mitigate",
        words="Apply immediate fix (restart service, scale up, rollback deployment) to restore service",
        items=(),
        button="Choose an action",
    ),
    Step(
        key=StepKey.RESOLVE,
        title="Resolve",
        words="Confirm all metrics stable, error rates back to baseline, close PagerDuty incident",
        items=("All metrics stable", "Error rates back to baseline", "PagerDuty incident closed"),
        button="Check and resolve",
    ),
    Step(
        key=StepKey.POSTMORTEM,
        title="Post-mortem",
        words="Schedule within 48 hours; document findings in {folder}/YYYY-MM-DD-<title>.md",
        items=("Scheduled within 48 hours", "Findings documented in {folder}"),
        button="Write the post-mortem",
    ),
)
STEP: dict[str, Step] = {step.key: step for step in STEPS}


def filled(text: str, environment: Environment) -> str:
    """The runbook's words with the environment's places in them."""
    api = environment.api.ecs or environment.api.ec2
    groups = [*([api.log_group] if api else []), environment.events.log_group]
    return text.format(
        slack_channel=environment.contacts.slack_channel,
        status_page_url=environment.contacts.status_page_url,
        folder=environment.postmortems.folder,
        log_groups=", ".join(groups),
    )
