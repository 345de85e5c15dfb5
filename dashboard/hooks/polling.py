"""CloudWatch's alarms by their queue: taken, kept, and only then deleted there."""

import logging

from django.core.cache import cache
from django.utils import timezone

from dashboard.hooks import inbox, sns
from dashboard.hooks.letters import Letter, Unreadable, document, text
from novaops.cloud import sqs
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment

logger = logging.getLogger(__name__)

ROUNDS = 20
# One worker at a time, so that polling never takes more than one; freed early, and by itself after a death.
BUSY_S = 15


def poll(environment: Environment) -> int:
    """Take what waits in the environment's queue; how many messages were new here."""
    url, busy = environment.hooks.queue_url, f"hooks:polling:{environment.name}"
    if url is None or not (cache.add(busy, 1, timeout=BUSY_S) or cache.get(busy) is None):
        return 0
    try:
        return _drain(environment, url)
    except OutsideError as failure:
        logger.warning("The queue of %s could not be read: %s", environment.name, failure)
        return 0
    finally:
        cache.delete(busy)


def _drain(environment: Environment, url: str) -> int:
    new = 0
    for _ in range(ROUNDS):
        messages = sqs.receive(environment, url)
        if not messages:
            break
        # Each is committed by itself before any is deleted; a copy that comes again is known by its name.
        new += sum(_keep(environment, one) for one in messages)
        sqs.delete(environment, url, messages)
        if len(messages) < sqs.BATCH:
            break
    if new:
        inbox.read_waiting()
    return new


def _keep(environment: Environment, message: sqs.Message) -> bool:
    """Whether the message is new. One of a topic that is not allowed is dropped."""
    body = message.body.encode(errors="replace")
    ident, topic = _about(body)
    if topic and topic not in environment.hooks.topics:
        logger.warning("The queue of %s has a message of a topic that is not allowed: %s", environment.name, topic)
        return False
    letter = Letter(source=sns.SOURCE, ident=ident or message.ident, environment=environment.name)
    return inbox.keep(letter, body[: inbox.LARGEST], "sqs", timezone.now())


def _about(body: bytes) -> tuple[str, str]:
    """SNS' name of the message, the same by every way, and its topic; both empty for one that did not come of SNS."""
    try:
        found = document(body)
    except Unreadable:
        return "", ""
    return text(found.get("MessageId"), 200), text(found.get("TopicArn"), 300)
