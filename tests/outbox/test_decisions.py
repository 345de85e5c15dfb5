"""What waits can be withdrawn, as long as nothing left."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops.audit.models import Entry
from novaops.outbox import decisions, delivery, leases
from novaops.outbox.models import Message
from tests.outbox.conftest import carry_on
from tests.servers import Nova

Queue = Callable[..., Message]


def test_what_waits_is_withdrawn_and_never_sent(aws: Nova, queued: Queue, commander: User) -> None:
    message = queued()
    decisions.withdraw(message.pk, by=commander)
    assert delivery.deliver(message.pk) is delivery.OVER
    message.refresh_from_db()
    assert (message.state, message.sentence) == ("failed", "Withdrawn by commander. Nothing was sent.")
    assert (aws.told("slack"), Entry.objects.latest("seq").verb) == ([], "message.withdrawn")


def test_a_worker_that_was_about_to_send_it_finds_the_lease_gone(aws: Nova, queued: Queue, commander: User) -> None:
    message = queued()
    lease = leases.claim(message.pk)
    assert lease
    decisions.withdraw(message.pk, by=commander)
    assert not lease.sign()
    with pytest.raises(leases.Lost):
        lease.write(state="sending")


def test_what_was_sent_cannot_be_withdrawn(aws: Nova, queued: Queue, commander: User) -> None:
    message = carry_on(queued())
    with pytest.raises(decisions.Refused, match="sent by now"):
        decisions.withdraw(message.pk, by=commander)
