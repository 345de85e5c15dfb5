"""Post-mortems are due within 48 hours, follow-ups by their dates: generated in time, and each reminder given once."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.urls import reverse

from incidents import documents, owed
from incidents.guard import Refused, where
from incidents.models import FollowUp, Incident, Postmortem
from incidents.timeline import Kind, append
from novaops.audit import chain
from novaops.outbox.posting import NotConfigured, SlackText, post

logger = logging.getLogger(__name__)
AT_A_TIME = 20
SETTLED_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One reminder: so long before the document is due, in these words."""

    before: timedelta
    words: str


STAGES = (
    Stage(before=owed.SOON, words="is due in 24 hours"),
    Stage(before=timedelta(hours=4), words="is due in 4 hours"),
    Stage(before=timedelta(0), words="is overdue"),
)


def base_url() -> str:
    """What makes paths into links where no request says under which name NovaOps is reached."""
    host = next((name for name in settings.ALLOWED_HOSTS if name[:1] not in ("", "*", ".")), "")
    return f"https://{host}" if host and settings.HTTPS else ""


def generate() -> None:
    """Generate the document of each resolved incident that has none."""
    ended = Incident.objects.filter(state=Incident.State.RESOLVED, postmortem=None, waiver=None)
    for number in ended.order_by("number").values_list("number", flat=True)[:AT_A_TIME]:
        try:
            documents.ensure(number, by=None, base_url=base_url())
        except Refused as refusal:
            logger.warning("INC-%s has no post-mortem yet: %s", number, refusal.sentence)


def settle(now: datetime) -> None:
    """Write an untouched document again once the last values of its time are in: CloudWatch tells them minutes late."""
    over = documents.untouched().filter(incident__resolved_at__lt=now - SETTLED_AFTER)
    early = over.filter(generated_at__lt=F("incident__resolved_at") + SETTLED_AFTER)
    for number in early.order_by("pk").values_list("incident__number", flat=True)[:AT_A_TIME]:
        try:
            documents.regenerate(number, by=None, base_url=base_url())
        except Refused as refusal:
            logger.warning("INC-%s was not written again: %s", number, refusal.sentence)


def remind(now: datetime) -> None:
    """Tell of each document that has come nearer to its time since it was last told of."""
    reached = Q(pk=None)
    for number, stage in enumerate(STAGES, 1):
        reached |= Q(due_at__lte=now + stage.before, reminded__lt=number)
    for postmortem in owed.documents().filter(reached)[:AT_A_TIME]:
        _remind(postmortem, sum(now >= postmortem.due_at - one.before for one in STAGES))


@transaction.atomic
def _remind(postmortem: Postmortem, stage: int) -> None:
    fresh = Postmortem.objects.filter(pk=postmortem.pk, reminded=postmortem.reminded)
    if not fresh.update(reminded=stage):
        return
    incident = postmortem.incident
    said = f"The post-mortem {STAGES[stage - 1].words}"
    address = f"{base_url()}{reverse('incidents:postmortem', args=[incident.number])}"
    append(incident, Kind.STATE, f"{said}: {postmortem.due_at:%Y-%m-%d %H:%M} UTC")
    key = f"postmortem:{postmortem.pk}:due:{postmortem.due_at.isoformat()}:{stage}"
    _slack(incident, f"{said} for {incident.name}: {incident.title}\n{address}", key)
    _record("postmortem.reminded", incident, stage=STAGES[stage - 1].words)


def remind_of_follow_ups(now: datetime) -> None:
    """Tell once of each follow-up whose date has passed."""
    late = FollowUp.objects.filter(FollowUp.late(now.date()), incident__is_drill=False)
    late = late.filter(Q(reminded_of=None) | ~Q(reminded_of=F("due"))).select_related("incident", "owner")
    for each in late.order_by("due")[:AT_A_TIME]:
        _remind_of(each)


@transaction.atomic
def _remind_of(each: FollowUp) -> None:
    fresh = FollowUp.objects.filter(pk=each.pk, reminded_of=each.reminded_of, state=FollowUp.State.OPEN)
    if not fresh.update(reminded_of=each.due):
        return
    owner = each.owner.get_username() if each.owner else "nobody"
    said = f"Follow-up overdue since {each.due}: {each.title} (owner: {owner})"
    append(each.incident, Kind.STATE, said)
    _slack(each.incident, f"{said}, from {each.incident.name}", f"follow-up:{each.pk}:due:{each.due}")
    _record("follow_up.reminded", each.incident, follow_up=each.pk, due=str(each.due))


def _slack(incident: Incident, text: str, key: str) -> None:
    """Where Slack is not configured, the pages alone remind."""
    try:
        post(
            SlackText(text=text),
            environment=where(incident),
            key=key,
            subject=text.partition("\n")[0],
            incident=incident.number,
        )
    except (NotConfigured, Refused) as failure:
        logger.info("Nobody was reminded on Slack: %s", failure)


def _record(verb: str, incident: Incident, **detail: object) -> None:
    chain.record(
        verb,
        by=None,
        subject=str(incident),
        environment=incident.environment,
        incident=incident.number,
        detail=detail,
    )
