"""What other apps may hear of a message; sent inside the transaction that makes the change."""

from django.dispatch import Signal

# Its delivery moved on: queued, sent, failed, unknown, or waiting after an attempt.
message_changed = Signal()
