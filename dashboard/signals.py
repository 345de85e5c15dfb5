"""What other apps may hear of alerts; sent inside the transaction that makes the change, with `alert`."""

from django.dispatch import Signal

alert_fired = Signal()
alert_cleared = Signal()
# It had cleared, and its condition holds again so soon that it is the same alert.
alert_reopened = Signal()
