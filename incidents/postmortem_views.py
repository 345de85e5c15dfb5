"""Pages of a post-mortem: read, edit with preview, generate again, export, download, print."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents import documents
from incidents.forms import PostmortemForm
from incidents.guard import Refused
from incidents.models import Incident, Postmortem
from incidents.pages import incident_of
from incidents.postmortem.render import MAX_BYTES
from incidents.postmortem.render import render as as_html
from incidents.postmortem.slug import names
from novaops import environment as environments
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can


@require_GET
@requires(Verb.VIEW)
def read(request: HttpRequest, number: int) -> HttpResponse:
    """The post-mortem as it reads; it is generated at its first opening by somebody who may write."""
    incident = incident_of(number)
    return render(request, "incidents/postmortem.html", _context(request, incident, _of(request, incident)))


@require_http_methods(["GET", "POST"])
@requires(Verb.JOIN)
def edit(request: HttpRequest, number: int) -> HttpResponse:
    """The editor. A text that was opened before another one was saved is kept and shown beside that one."""
    incident = incident_of(number)
    if request.method == "GET":
        postmortem = documents.ensure(number, by=user_of(request), base_url=_base(request))
        form = PostmortemForm(initial={"text": postmortem.text, "version": postmortem.version})
        return render(
            request, "incidents/postmortem_edit.html", _context(request, incident, postmortem) | {"form": form}
        )
    form = PostmortemForm(request.POST)
    postmortem = documents.ensure(number, by=user_of(request), base_url=_base(request))
    context = _context(request, incident, postmortem) | {"form": form}
    if not form.is_valid():
        return render(request, "incidents/postmortem_edit.html", context, status=409)
    try:
        saved = documents.save(number, form.cleaned_data["text"], form.cleaned_data["version"], by=user_of(request))
    except Refused as refusal:
        form.add_error("text", refusal.sentence)
        return render(request, "incidents/postmortem_edit.html", context, status=409)
    except documents.Conflict as conflict:
        return _conflict(request, incident, form, conflict)
    messages.success(request, f"Version {saved.version} is saved.")
    return redirect("incidents:postmortem", number)


def _conflict(
    request: HttpRequest, incident: Incident, form: PostmortemForm, conflict: documents.Conflict
) -> HttpResponse:
    """The typed text stays in the form, which now names the newer version: saving again is a decision."""
    typed = {"text": form.cleaned_data["text"], "version": conflict.current.version}
    latest = conflict.current.versions.select_related("by").first()
    context = _context(request, incident, conflict.current)
    context |= {"form": PostmortemForm(initial=typed), "conflict": conflict.current, "latest": latest}
    return render(request, "incidents/postmortem_edit.html", context, status=409)


@require_POST
@requires(Verb.VIEW)
def preview(request: HttpRequest, number: int) -> HttpResponse:
    """The typed text as it will read."""
    incident_of(number)
    text = request.POST.get("text", "")
    too_long = len(text.encode()) > MAX_BYTES
    return render(request, "incidents/_preview.html", {"html": "" if too_long else as_html(text), "too_long": too_long})


@require_POST
@requires(Verb.JOIN)
def regenerate(request: HttpRequest, number: int) -> HttpResponse:
    """Write the generated parts again; what people wrote stays."""
    documents.ensure(number, by=user_of(request), base_url=_base(request))
    _, kept = documents.regenerate(number, by=user_of(request), base_url=_base(request))
    messages.success(request, "The generated parts were written again from today's facts.")
    if kept:
        messages.warning(request, f"Edited by hand and therefore left as they were: {', '.join(kept)}.")
    return redirect("incidents:postmortem", number)


@require_POST
@requires(Verb.JOIN)
def export(request: HttpRequest, number: int) -> HttpResponse:
    """Write the file."""
    documents.ensure(number, by=user_of(request), base_url=_base(request))
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
    postmortem = _of(request, incident)
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
    return render(request, "incidents/postmortem_print.html", _context(request, incident, _of(request, incident)))


def _of(request: HttpRequest, incident: Incident) -> Postmortem | None:
    """The post-mortem, generated now where the incident is over and the reader may write."""
    there = Postmortem.objects.filter(incident=incident).first()
    may_write = can(user_of(request), Verb.JOIN, environments.get(incident.environment)).allowed
    if there or incident.is_open or not may_write:
        return there
    return documents.ensure(incident.number, by=user_of(request), base_url=_base(request))


def _context(request: HttpRequest, incident: Incident, postmortem: Postmortem | None) -> dict[str, object]:
    return {
        "incident": incident,
        "postmortem": postmortem,
        "html": as_html(postmortem.text) if postmortem else "",
        "can_join": can(user_of(request), Verb.JOIN, environments.get(incident.environment)),
    }


def _base(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"
