"""Included by the Celery workers of the storm (`celery -I tests.chaos.celery_strokes`): the actions and the strokes."""

from tests.chaos import strokes

strokes.install()
