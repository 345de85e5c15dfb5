"""The stop switch: while an environment is frozen, no new effect is sent in it."""

from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from novaops import environment as environments
from novaops import live
from novaops.access.policy import Verb, can
from novaops.audit import chain
from novaops.environment import Environment
from novaops.runbook.models import Freeze

SHORTEST_REASON = 5


class Refused(Exception):
    """The switch was not turned; the message says why."""


def standing(environment: str) -> Freeze | None:
    """The freeze that stands in the environment."""
    return Freeze.objects.select_related("frozen_by").filter(environment=environment, lifted_at=None).first()


def freeze(environment: Environment, *, by: User, reason: str) -> Freeze:
    """Stop every new effect in the environment. Raises Refused."""
    _refuse_unless_permitted(environment, by)
    if len(reason.strip()) < SHORTEST_REASON:
        raise Refused(f"Say why, in at least {SHORTEST_REASON} characters. Nothing changed.")
    try:
        with transaction.atomic():
            made = Freeze.objects.create(environment=environment.name, reason=reason.strip(), frozen_by=by)
            live.publish(f"overview:{environment.name}")
            chain.record("freeze.set", by=by, subject=environment.name, environment=environment.name, reason=reason)
    except IntegrityError as failure:
        raise Refused(f"{environment.title} is frozen already.") from failure
    return made


def lift(environment: Environment, *, by: User) -> None:
    """Let effects be sent again. Raises Refused where nothing is frozen."""
    _refuse_unless_permitted(environment, by)
    with transaction.atomic():
        lifted = Freeze.objects.filter(environment=environment.name, lifted_at=None).update(
            lifted_by=by, lifted_at=datetime.now(UTC)
        )
        if not lifted:
            raise Refused(f"{environment.title} is not frozen.")
        live.publish(f"overview:{environment.name}")
        chain.record("freeze.lifted", by=by, subject=environment.name, environment=environment.name)


def _refuse_unless_permitted(environment: Environment, by: User) -> None:
    verdict = can(by, Verb.COMMAND, environment)
    if not verdict:
        raise Refused(verdict.sentence)


def of_pages(environment: Environment | None) -> Freeze | None:
    """The freeze a page warns of."""
    return standing((environment or environments.default()).name)
