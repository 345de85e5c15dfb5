"""Pages of a post-mortem: read, review, publish, waive, generate again, export, download, print."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from incidents import checklist, documents, reviews
from incidents.guard import Refused
from incidents.models import Incident, Postmortem, Review, Waiver
from incidents.pages import incident_of
from incidents.postmortem import filled
from incidents.postmortem.factors import WORDS
from incidents.postmortem.render import render as as_html
from incidents.postmortem.slug import names
from incidents.steps import StepKey
from novaops import environment as environments
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can

View = Callable[..., HttpResponse]


@require_GET
@requires(Verb.VIEW)
def read(request: HttpRequest, number: int) -> HttpResponse:
    """The post-mortem as it reads; it is generated at its first opening by somebody who may write."""
    incident = incident_of(number)
    return render(request, "incidents/postmortem.html", context(request, incident, document_of(request, incident)))


def shows_refusal(view: View) -> View:
    """Show the document again with why the decision was not taken, as 409."""

    @wraps(view)
    def wrapped(request: HttpRequest, number: int, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, number, *args, **kwargs)
        except Refused as refusal:
            incident = incident_of(number)
            shown = context(request, incident, document_of(request, incident))
            shown |= {"refusal": refusal, "typed": request.POST}
            return render(request, "incidents/postmortem.html", shown, status=409)

    return wrapped


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def ask_review(request: HttpRequest, number: int) -> HttpResponse:
    """Ask a second person to review the version that the page showed."""
    incident_of(number)
    reviews.ask(number, _version(request), by=user_of(request), anyway=request.POST.get("anyway") == "on")
    messages.success(request, "A second person is asked to review it.")
    return redirect("incidents:postmortem", number)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def decide_review(request: HttpRequest, number: int) -> HttpResponse:
    """Approve, or ask for changes."""
    incident_of(number)
    comment, approve = request.POST.get("comment", ""), request.POST.get("verdict") == "approve"
    reviews.decide(number, comment, approve=approve, by=user_of(request))
    return redirect("incidents:postmortem", number)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def publish(request: HttpRequest, number: int) -> HttpResponse:
    """Publish the version that was approved."""
    incident_of(number)
    published = reviews.publish(number, _version(request), request.POST.get("factor", ""), by=user_of(request))
    messages.success(request, f"Version {published.published_version} is published. Export it next.")
    return redirect("incidents:postmortem", number)


@require_POST
@requires(Verb.COMMAND)
@shows_refusal
def waive(request: HttpRequest, number: int) -> HttpResponse:
    """Decide that a slight incident needs no post-mortem: its step is skipped with that reason."""
    incident_of(number)
    checklist.skip(number, StepKey.POSTMORTEM, request.POST.get("reason", ""), by=user_of(request))
    return redirect("incidents:postmortem", number)


@require_POST
@requires(Verb.JOIN)
def regenerate(request: HttpRequest, number: int) -> HttpResponse:
    """Write the generated parts again; what people wrote stays."""
    incident_of(number)
    documents.ensure(number, by=user_of(request), base_url=base_of(request))
    _, kept = documents.regenerate(number, by=user_of(request), base_url=base_of(request))
    messages.success(request, "The generated parts were written again from today's facts.")
    if kept:
        messages.warning(request, f"Edited by hand and therefore left as they were: {', '.join(kept)}.")
    return redirect("incidents:postmortem", number)


@require_POST
@requires(Verb.JOIN)
def export(request: HttpRequest, number: int) -> HttpResponse:
    """Write the file."""
    incident_of(number)
    documents.ensure(number, by=user_of(request), base_url=base_of(request))
    try:
        exported = documents.export(number, by=user_of(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, f"Exported to {exported.path}")
    return redirect("incidents:postmortem", number)


@require_GET
@requires(Verb.VIEW)
def download(request: HttpRequest, number: int) -> HttpResponse:
    """The markdown as a file."""
    incident = incident_of(number)
    postmortem = document_of(request, incident)
    if postmortem is None:
        return redirect("incidents:postmortem", number)
    name = postmortem.file_name or next(names(incident.started_at.date(), incident.title))
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(postmortem.text, content_type="text/markdown; charset=utf-8", headers=headers)


@require_GET
@requires(Verb.VIEW)
def print_view(request: HttpRequest, number: int) -> HttpResponse:
    """The document alone, for paper."""
    incident = incident_of(number)
    shown = context(request, incident, document_of(request, incident))
    return render(request, "incidents/postmortem_print.html", shown)


def document_of(request: HttpRequest, incident: Incident) -> Postmortem | None:
    """The post-mortem, generated now where the incident is over and the reader may write."""
    there = Postmortem.objects.filter(incident=incident).first()
    may_write = can(user_of(request), Verb.JOIN, environments.get(incident.environment)).allowed
    if there or incident.is_open or not may_write:
        return there
    return documents.ensure(incident.number, by=user_of(request), base_url=base_of(request))


def context(request: HttpRequest, incident: Incident, postmortem: Postmortem | None) -> dict[str, Any]:
    """What the pages of a post-mortem show."""
    place = environments.get(incident.environment)
    shown: dict[str, Any] = {
        "incident": incident,
        "postmortem": postmortem,
        "can_join": can(user_of(request), Verb.JOIN, place),
        "can_command": can(user_of(request), Verb.COMMAND, place),
        "waiver": Waiver.objects.filter(incident=incident).select_related("by").first(),
        "typed": {},
    }
    return shown if postmortem is None else shown | _of_document(request, postmortem)


def _of_document(request: HttpRequest, postmortem: Postmortem) -> dict[str, Any]:
    found = list(postmortem.reviews.select_related("author", "requested_by", "reviewer")[:5])
    waiting = next((one for one in found if one.verdict == Review.Verdict.WAITING), None)
    return {
        "html": as_html(postmortem.text),
        "findings": reviews.findings(postmortem),
        "filled": round(100 * filled.share(postmortem.text)),
        "reviews": found,
        "waiting": waiting,
        "own": waiting is not None and user_of(request) in (waiting.author, waiting.requested_by),
        "approved": reviews.approved(postmortem),
        "factors": list(WORDS.items()),
    }


def _version(request: HttpRequest) -> int:
    """The version that the form's page showed; 0, which none is, where it names none."""
    typed = request.POST.get("version", "")
    return int(typed) if typed.isdecimal() and len(typed) < 10 else 0


def base_of(request: HttpRequest) -> str:
    """What makes the paths in a document into links."""
    return f"{request.scheme}://{request.get_host()}"
