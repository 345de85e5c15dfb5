"""Killing the worker with -9 while it sends leads to one message."""

from collections.abc import Callable

import pytest
from django.db import transaction

from novaops import environment as environments
from novaops.outbox.models import Message
from novaops.outbox.posting import Content, post
from novaops.sandbox.child import Child
from tests.outbox.conftest import CONTENTS
from tests.reliability.conftest import kill
from tests.reliability.test_killed_worker import until
from tests.servers import Nova


def posted(content: Content) -> Message:
    with transaction.atomic():
        return post(content, environment=environments.default(), key="one", subject="INC-1", lane="incident:1")


@pytest.mark.long(7)
@pytest.mark.parametrize("sink", ["slack", "statuspage"])
def test_one_message_though_the_worker_died_while_it_was_sent(
    sink: str, aws: Nova, start_worker: Callable[..., Child]
) -> None:
    aws.troubles({"kind": "hang-after", "seconds": 4})
    first = start_worker(queues="watch")
    message = posted(CONTENTS[sink])
    until(lambda: len(aws.told(sink)) == 1)
    kill(first)
    start_worker(queues="watch")
    until(lambda: Message.objects.get(pk=message.pk).over)
    message.refresh_from_db()
    assert (message.state, message.sentence) == (Message.State.SENT, "Found to have arrived.")
    assert len(aws.told(sink)) == 1
