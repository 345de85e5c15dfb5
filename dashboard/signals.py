"""What other apps may hear of alerts; sent inside the transaction that makes the change, with `alert`."""

from django.dispatch import Signal

alert_fired = Signal()
alert_cleared = Signal()
