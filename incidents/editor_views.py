"""The editor of a post-mortem: preview and findings while typing, kept by itself, saved against a version, compared."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents import documents, drafts, reviews
from incidents.forms import PostmortemForm
from incidents.guard import Refused
from incidents.models import Incident, Postmortem, PostmortemVersion
from incidents.pages import incident_of, whole
from incidents.postmortem import diff
from incidents.postmortem.merging import merge3
from incidents.postmortem.render import MAX_BYTES
from incidents.postmortem.render import render as as_html
from incidents.postmortem_views import base_of, context
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb

PAGE = "incidents/postmortem_edit.html"


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A text, the version it was opened at, and the editor's page that it was typed in."""

    text: str
    version: int
    tab: str


@require_http_methods(["GET", "POST"])
@requires(Verb.JOIN)
def edit(request: HttpRequest, number: int) -> HttpResponse:
    """The editor. What was typed and not saved comes back; a text that another one overtook is joined with it."""
    incident = incident_of(number)
    postmortem = documents.ensure(number, by=user_of(request), base_url=base_of(request))
    if request.method == "GET":
        return _opened(request, incident, postmortem)
    form = PostmortemForm(request.POST)
    shown = context(request, incident, postmortem) | {"form": form}
    if not form.is_valid():
        return render(request, PAGE, shown, status=409)
    typed = Typed(**form.cleaned_data)
    try:
        saved = documents.save(number, typed.text, typed.version, by=user_of(request), tab=typed.tab)
    except Refused as refusal:
        form.add_error("text", refusal.sentence)
        return render(request, PAGE, shown, status=409)
    except documents.Conflict as conflict:
        return render(request, PAGE, _conflict(request, incident, conflict.current, typed), status=409)
    messages.success(request, f"Version {saved.version} is saved.")
    return redirect(f"{reverse('incidents:postmortem', args=[number])}?saved={saved.version}")


def _opened(request: HttpRequest, incident: Incident, postmortem: Postmortem) -> HttpResponse:
    tab, chosen = str(uuid.uuid4()), request.GET.get("draft", "")
    draft, others = drafts.take_up(postmortem, user_of(request), tab, whole(chosen))
    if draft and draft.version != postmortem.version:
        typed = Typed(text=draft.text, version=draft.version, tab=tab)
        return render(
            request, PAGE, _conflict(request, incident, postmortem, typed) | {"draft": draft, "others": others}
        )
    text = draft.text if draft else postmortem.text
    form = PostmortemForm(initial={"text": text, "version": postmortem.version, "tab": tab})
    shown = context(request, incident, postmortem) | {"form": form, "draft": draft, "others": others}
    if draft:
        shown |= {"html": as_html(text), "findings": reviews.findings(postmortem, text)}
    return render(request, PAGE, shown)


def _conflict(request: HttpRequest, incident: Incident, current: Postmortem, typed: Typed) -> dict[str, Any]:
    """Both texts joined, in a form that names the newer version: saving it is a decision. The typed one is kept."""
    by = user_of(request)
    base = current.versions.filter(version=typed.version).values_list("text", flat=True).first() or ""
    joined = merge3(base, current.text, typed.text)
    drafts.keep(incident.number, typed.text, typed.version, by=by, tab=typed.tab)
    return context(request, incident, current) | {
        "form": PostmortemForm(initial={"text": joined.text, "version": current.version, "tab": typed.tab}),
        "conflict": current,
        "both": joined.both,
        "latest": current.versions.select_related("by").first(),
        "difference": diff.between(current.text, joined.text),
        "html": as_html(joined.text),
    }


@require_POST
@requires(Verb.VIEW)
def preview(request: HttpRequest, number: int) -> HttpResponse:
    """The typed text as it will read, and what the linter says of it."""
    incident = incident_of(number)
    text = request.POST.get("text", "")
    if len(text.encode()) > MAX_BYTES:
        return render(request, "incidents/_preview.html", {"too_long": True})
    postmortem = Postmortem.objects.filter(incident=incident).select_related("incident").first()
    found = reviews.findings(postmortem, text) if postmortem else []
    return render(request, "incidents/_preview.html", {"html": as_html(text), "findings": found, "aside": True})


@require_POST
@requires(Verb.JOIN)
def autosave(request: HttpRequest, number: int) -> HttpResponse:
    """Keep what is being typed; where somebody saved meanwhile, 409 with the difference. It is kept all the same."""
    incident_of(number)
    form = PostmortemForm(request.POST)
    if not form.is_valid():
        return render(request, "incidents/_kept.html", {"refusal": "The text cannot be kept."}, status=422)
    typed, by = Typed(**form.cleaned_data), user_of(request)
    try:
        current = drafts.keep(number, typed.text, typed.version, by=by, tab=typed.tab)
    except Refused as refusal:
        return render(request, "incidents/_kept.html", {"refusal": refusal.sentence}, status=422)
    draft = current.drafts.filter(user=by, tab=typed.tab).first()
    if current.version == typed.version:
        return render(request, "incidents/_kept.html", {"draft": draft})
    base = current.versions.filter(version=typed.version).values_list("text", flat=True).first() or ""
    latest = current.versions.select_related("by").first()
    shown: dict[str, Any] = {"conflict": current, "latest": latest, "number": number, "draft": draft}
    return render(request, "incidents/_kept.html", shown | {"difference": diff.between(base, current.text)}, status=409)


@require_POST
@requires(Verb.JOIN)
def discard(request: HttpRequest, number: int) -> HttpResponse:
    """Forget what was typed and not saved."""
    incident_of(number)
    drafts.discard(number, by=user_of(request))
    return redirect("incidents:postmortem_edit", number)


@require_GET
@requires(Verb.VIEW)
def versions(request: HttpRequest, number: int) -> HttpResponse:
    """Every saved version, and what one of them changed of another."""
    incident = incident_of(number)
    postmortem = Postmortem.objects.filter(incident=incident).first()
    if postmortem is None:
        return redirect("incidents:postmortem", number)
    newer = _version(request, "to", postmortem.version)
    older = _version(request, "from", newer - 1)
    texts = dict(postmortem.versions.filter(version__in=[newer, older]).values_list("version", "text"))
    if newer not in texts:
        raise Http404(f"There is no version {newer}.")
    found = postmortem.versions.select_related("by").defer("text")
    shown = {
        "incident": incident,
        "postmortem": postmortem,
        "versions": list[PostmortemVersion](found),
        "newer": newer,
        "older": older if older in texts else None,
        "difference": diff.between(texts.get(older, ""), texts[newer]),
    }
    return render(request, "incidents/postmortem_versions.html", shown)


def _version(request: HttpRequest, name: str, otherwise: int) -> int:
    asked = request.GET.get(name, "")
    return int(asked) if asked.isdecimal() and len(asked) < 10 else otherwise
