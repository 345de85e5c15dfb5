"""A topic of SNS that asks to be confirmed: an administrator accepts it, a worker tells AWS. No address is fetched."""

from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from dashboard.hooks import bell, sns
from dashboard.hooks.models import Subscription
from novaops.audit import chain
from novaops.cloud import sns as cloud_sns
from novaops.cloud.errors import NotSent, OutsideError


def accept(one: Subscription, *, by: User) -> bool:
    """Let the topic be confirmed; False where it does not ask, or is not allowed any more."""
    if one.topic not in sns.topics():
        return False
    asking = (Subscription.State.ASKED, Subscription.State.FAILED)
    with transaction.atomic():
        mine = Subscription.objects.filter(pk=one.pk, state__in=asking)
        if not mine.update(state=Subscription.State.ACCEPTED, sentence=""):
            return False
        transaction.on_commit(partial(bell.ring, now=True))
        chain.record("topic.accepted", by=by, subject=one.topic, environment=one.environment)
    return True


def confirm_accepted() -> None:
    """Tell AWS of every accepted topic. Told twice it answers the same, so nothing is guarded here."""
    for one in Subscription.objects.filter(state=Subscription.State.ACCEPTED):
        environment = sns.topics().get(one.topic)
        if environment is None:
            _conclude(one, Subscription.State.FAILED, "Its topic is not allowed any more")
            continue
        try:
            cloud_sns.confirm_subscription(environment, one.topic, one.token)
        except NotSent as failure:
            # Still accepted: the next sweep tells AWS again.
            Subscription.objects.filter(pk=one.pk).update(sentence=str(failure)[:300])
        except OutsideError as failure:
            _conclude(one, Subscription.State.FAILED, str(failure))
        else:
            _conclude(one, Subscription.State.CONFIRMED, "AWS sends its alarms here")


def _conclude(one: Subscription, state: str, sentence: str) -> None:
    with transaction.atomic():
        confirmed = timezone.now() if state == Subscription.State.CONFIRMED else None
        mine = Subscription.objects.filter(pk=one.pk, state=Subscription.State.ACCEPTED)
        if mine.update(state=state, sentence=sentence[:300], confirmed_at=confirmed):
            chain.record(
                f"topic.{state}", by=None, via="worker", subject=one.topic, environment=one.environment, reason=sentence
            )
