"""What every operation of the API of incidents shares: who may, which incident, once for each key, and refusals."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, TypeVar

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Path, Schema

from incidents import declaring, documents
from incidents.api_schemas import Number
from incidents.guard import Conflict, Joined, Refused, where
from incidents.models import Incident, Once
from novaops import environment as environments
from novaops.access.policy import Verb
from novaops.audit import chain
from novaops.environment import Environment
from novaops.outbox import decisions
from novaops.runbook import api
from novaops.runbook.api_problems import Problem

IncidentNumber = Annotated[Number, Path()]
Made = TypeVar("Made")
# What a write may be refused with: not JSON, no such thing, a conflict, too large, not JSON's type, a wrong field.
WRITE = (400, 404, 409, 413, 415, 422)


def row(number: int) -> Incident:
    """The incident of that number."""
    found = Incident.objects.select_related("commander", "merged_into").filter(number=number).first()
    if found is None:
        raise Problem(404, "not-found", f"There is no incident {number}.")
    return found


def incident(request: HttpRequest, number: int, verb: Verb = Verb.VIEW) -> Incident:
    """The incident of that number, where the token may use `verb` there."""
    found = row(number)
    api.refuse_unless(request, verb, environments.get(found.environment))
    return found


def place(found: Incident) -> Environment:
    """The incident's environment, which nova.toml must still declare."""
    return answered(lambda: where(found))


def user_named(username: str | None, field: str) -> User | None:
    """The active user of that name; None where no name is given."""
    if username is None:
        return None
    found = User.objects.filter(username=username, is_active=True).first()
    if found is None:
        raise Problem(422, "invalid", f"There is no user {username!r}.", field=field)
    return found


def owner(request: HttpRequest) -> User:
    """The user whose token it is."""
    return api.token_of(request).owner


def via(request: HttpRequest) -> str:
    """What the audit calls the token's door."""
    return f"api:{api.token_of(request).public_id}"


def own_key(request: HttpRequest, key: str) -> str:
    """An Idempotency-Key as this token's own."""
    return f"{via(request)}:{key}"


def once(request: HttpRequest, what: str, key: str, body: Schema | None, do: Callable[[], int]) -> tuple[int, bool]:
    """What the request made, and whether it was made just now; another request with the same key is refused."""
    own = f"{api.token_of(request).public_id}:{key}"
    said = json.dumps([what, body.dict() if body else {}], sort_keys=True, default=str)
    digest = hashlib.sha256(said.encode()).hexdigest()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [own])
        there = Once.objects.filter(key=own).first()
        if there and there.digest != digest:
            sentence = "This idempotency key was used for another request. Nothing happened."
            raise Problem(422, "key-reused", sentence, field="Idempotency-Key")
        if there:
            return there.ref, False
        ref = decided(request, do)
        Once.objects.create(key=own, digest=digest, ref=ref, at=timezone.now())
    return ref, True


def decided(request: HttpRequest, do: Callable[[], Made]) -> Made:
    """Do it as the token's owner, through the token's door; what the decision refuses becomes a problem."""
    with chain.through(via(request)):
        return answered(do)


def answered(do: Callable[[], Made]) -> Made:
    """What it gives; its refusal becomes a problem."""
    try:
        return do()
    except declaring.Covered as refusal:
        covers = {"incident": refusal.incident.number, "same_cause": refusal.same_cause}
        raise Problem(409, "covered", refusal.sentence, **covers) from refusal
    except Joined as refusal:
        raise Problem(409, "merged", refusal.sentence, incident=refusal.into.number) from refusal
    except Conflict as refusal:
        raise overtaken(refusal.incident.version) from refusal
    except documents.Conflict as refusal:
        raise overtaken(refusal.current.version) from refusal
    except Refused as refusal:
        reasons = [{"sentence": lack.sentence, "mend": lack.mend} for lack in refusal.reasons]
        raise Problem(409, "refused", refusal.sentence, reasons=reasons or None) from refusal
    except decisions.Refused as refusal:
        raise Problem(409, "refused", str(refusal)) from refusal
    except PermissionDenied as refusal:
        raise Problem(403, "not-permitted", str(refusal)) from refusal
    except Http404 as missing:
        raise Problem(404, "not-found", "There is no such incident.") from missing


def overtaken(version: int) -> Problem:
    """Somebody was faster: what was sent was made for another version."""
    sentence = f"It is at version {version} by now. Nothing happened: look at it again."
    return Problem(409, "changed", sentence, field="version", version=version)
