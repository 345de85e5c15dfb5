"""Slack's slash command, proved by its signature, and the page that says who is who in Slack."""

import hashlib
import logging

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.request import UnreadablePostError
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from incidents import slack_command
from incidents.forms import SlackPersonForm
from incidents.models import Once, SlackPerson
from novaops import environment as environments
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb
from novaops.audit import chain
from novaops.cloud import slack
from novaops.environment import Environment

logger = logging.getLogger(__name__)

LARGEST = 64 * 1024


@csrf_exempt
@require_POST
@login_not_required
def command(request: HttpRequest) -> HttpResponse:
    """Answer `/nova`, to whoever typed it alone; what is not signed, or comes a second time, is refused."""
    try:
        body = request.body if int(request.META.get("CONTENT_LENGTH") or 0) <= LARGEST else b""
    except (UnreadablePostError, ValueError):
        body = b""
    places = [place for place in environments.environments().values() if _signed(place, request, body)]
    if not places:
        logger.warning("A request that claims to be from Slack has no valid signature")
        return HttpResponse("refused\n", content_type="text/plain", status=401)
    if not _first(request.headers["X-Slack-Signature"]):
        return HttpResponse("known\n", content_type="text/plain", status=409)
    said = QueryDict(body)
    text = slack_command.answer(places, said.get("user_id", ""), said.get("text", ""))
    return JsonResponse({"response_type": "ephemeral", "text": slack.escaped(text)})


def _signed(place: Environment, request: HttpRequest, body: bytes) -> bool:
    secret = place.slack.signing_secret if place.slack else ""
    return slack.is_from_slack(secret, body, dict(request.headers))


def _first(signature: str) -> bool:
    """Whether this request was not seen before."""
    digest = hashlib.sha256(signature.encode()).hexdigest()
    values = {"digest": digest, "ref": 0, "at": timezone.now()}
    return Once.objects.get_or_create(key=f"slack:{digest}", defaults=values)[1]


@require_http_methods(["GET", "POST"])
@requires(Verb.SETTINGS)
def people(request: HttpRequest) -> HttpResponse:
    """Who is who in Slack; the form adds somebody."""
    form = SlackPersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            person = form.save(commit=False)
            person.added_by = user_of(request)
            person.save()
            chain.record("slack.person_added", by=user_of(request), subject=str(person))
        return redirect("incidents:slack_people")
    known = SlackPerson.objects.select_related("user", "added_by")
    context = {"form": form, "people": known}
    return render(request, "incidents/slack_people.html", context, status=409 if form.errors else 200)


@require_POST
@requires(Verb.SETTINGS)
def remove_person(request: HttpRequest, pk: int) -> HttpResponse:
    """Take somebody's account away from Slack."""
    with transaction.atomic():
        person = SlackPerson.objects.select_for_update().filter(pk=pk).first()
        if person:
            subject = str(person)
            person.delete()
            chain.record("slack.person_removed", by=user_of(request), subject=subject)
            messages.success(request, f"Removed: {subject}.")
    return redirect("incidents:slack_people")
