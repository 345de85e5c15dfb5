"""Periodic work of incidents. Delivered twice or late it does nothing twice: rows say what is due."""

from celery import shared_task

from incidents import reminders, search


@shared_task(expires=10)
def fold_words() -> None:
    """Bring the search up to date."""
    while search.fold() == search.ENTRIES_A_TIME:
        continue


@shared_task(expires=30)
def remind_updates() -> None:
    """Remind of the updates that are due."""
    reminders.remind()
