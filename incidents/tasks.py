"""Periodic work of incidents. Delivered twice or late it does nothing twice: rows say what is due."""

from celery import shared_task
from django.utils import timezone

from incidents import commits, deadlines, excerpts, reminders, search


@shared_task(expires=10)
def fold_words() -> None:
    """Bring the search up to date."""
    while search.fold() == search.ENTRIES_A_TIME:
        continue


@shared_task(expires=30)
def remind_updates() -> None:
    """Remind of the updates that are due."""
    reminders.remind()


@shared_task(expires=15)
def attach_logs() -> None:
    """Attach what was logged around the beginning of new incidents."""
    excerpts.attach_early(timezone.now())


@shared_task(expires=60)
def keep_postmortems() -> None:
    """Attach logs, generate what is missing, remind of what is due, commit what waits."""
    excerpts.attach(timezone.now())
    deadlines.generate()
    deadlines.settle(timezone.now())
    deadlines.remind(timezone.now())
    deadlines.remind_of_follow_ups(timezone.now())
    for postmortem in commits.waiting():
        commit_postmortem.delay(postmortem)


@shared_task
def commit_postmortem(postmortem: int) -> None:
    """Make a commit that waits. Delivered twice it commits once."""
    commits.carry_out(postmortem)
