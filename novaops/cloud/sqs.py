"""Amazon SQS: take what waits in a queue, and delete it once it is kept elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from novaops.cloud import aws
from novaops.environment import Environment

# What one call takes at most, and how long it waits for the first: any wait at all asks every server of the queue.
BATCH = 10
WAIT_S = 1
# For how long nobody else is given a message that was taken; not deleted by then, it comes again.
HIDDEN_S = 60


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message; `handle` deletes it."""

    ident: str
    handle: str
    body: str


def receive(environment: Environment, queue_url: str) -> list[Message]:
    """What waits, at most BATCH of it. Raises an OutsideError."""
    answer = aws.read(
        environment,
        "sqs:ReceiveMessage",
        QueueUrl=queue_url,
        MaxNumberOfMessages=BATCH,
        WaitTimeSeconds=WAIT_S,
        VisibilityTimeout=HIDDEN_S,
    )
    return [
        Message(ident=one["MessageId"], handle=one["ReceiptHandle"], body=one["Body"])
        for one in answer.get("Messages", [])
    ]


def delete(environment: Environment, queue_url: str, messages: Sequence[Message]) -> None:
    """Forget messages; one that could not be deleted comes again. Raises an OutsideError."""
    entries = [{"Id": str(number), "ReceiptHandle": one.handle} for number, one in enumerate(messages)]
    aws.read(environment, "sqs:DeleteMessageBatch", QueueUrl=queue_url, Entries=entries)
