"""Who reads an environment's outside: one collector at a time, by a lease in the database and its own clock."""

from datetime import timedelta
from typing import ClassVar

from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Now


class Lease(models.Model):
    """The right to read an environment, and when it is due again; an app's own table says for what.

    Times are the database's, never a worker's. `length_s` is longer than a task may take, so that a living collector
    never loses its lease.
    """

    length_s: ClassVar[float]

    environment = models.CharField(max_length=40, primary_key=True)
    token = models.PositiveBigIntegerField(default=0)
    until = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.environment

    @classmethod
    def claim(cls, environment: str, every_s: float, *, early: bool = False) -> int:
        """Take the lease where it is free and the environment due (or `early`), and make it due again after `every_s`.

        Returns the token that the writes must still hold, 0 where there is nothing to do.
        """
        rows = cls._default_manager
        with transaction.atomic():
            rows.bulk_create([cls(environment=environment, until=Now(), due_at=Now())], ignore_conflicts=True)
            free = rows.select_for_update(skip_locked=True).filter(environment=environment, until__lte=Now())
            lease = (free if early else free.filter(due_at__lte=Now())).first()
            if lease is None:
                return 0
            until, due_at = (Now() + timedelta(seconds=seconds) for seconds in (cls.length_s, every_s))
            rows.filter(pk=lease.pk).update(token=F("token") + 1, until=until, due_at=due_at)
        return lease.token + 1

    @classmethod
    def held(cls, environment: str, token: int) -> bool:
        """Whether the lease still has this token, locked until the end of the transaction."""
        return cls._default_manager.select_for_update().filter(environment=environment, token=token).exists()

    @classmethod
    def release(cls, environment: str, token: int) -> None:
        """Give the lease back, unless another has taken it since."""
        cls._default_manager.filter(environment=environment, token=token).update(until=Now())

    @classmethod
    def make_due(cls, environment: str) -> None:
        """Let the next ring read the environment, whenever it was read last."""
        cls._default_manager.filter(environment=environment).update(due_at=Now())
