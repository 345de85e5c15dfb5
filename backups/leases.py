"""Who reads the backups of an environment: one collector at a time, by a lease in the database and its own clock."""

from django.db import connection, transaction

# Longer than a task may take, so that a living collector never loses it.
LEASE_S = 40


def claim(environment: str, every_s: float, *, early: bool = False) -> int:
    """Take the lease where it is free and the environment due (or `early`), and make it due again after `every_s`.

    Returns the token that the writes must still hold, 0 where there is nothing to do.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backups_lease (environment, token, until, due_at) VALUES (%s, 0, now(), now())"
            " ON CONFLICT DO NOTHING",
            [environment],
        )
        cursor.execute(
            "UPDATE backups_lease SET token = token + 1, until = now() + make_interval(secs => %s),"
            " due_at = now() + make_interval(secs => %s) WHERE environment = ("
            "SELECT environment FROM backups_lease WHERE environment = %s AND until <= now()"
            " AND (due_at <= now() OR %s) FOR UPDATE SKIP LOCKED) RETURNING token",
            [LEASE_S, every_s, environment, early],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def held(environment: str, token: int) -> bool:
    """Whether the lease still has this token, locked until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM backups_lease WHERE environment = %s AND token = %s FOR UPDATE", [environment, token]
        )
        return cursor.fetchone() is not None


def release(environment: str, token: int) -> None:
    """Give the lease back, unless another has taken it since."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE backups_lease SET until = now() WHERE environment = %s AND token = %s", [environment, token]
        )


def make_due(environment: str) -> None:
    """Let the next ring read the environment, whenever it was read last."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE backups_lease SET due_at = now() WHERE environment = %s", [environment])
