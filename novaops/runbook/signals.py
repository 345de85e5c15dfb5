"""What other apps may hear of a run; sent inside the transaction that makes the change."""

from django.dispatch import Signal

run_changed = Signal()
run_finished = Signal()
run_judged = Signal()
