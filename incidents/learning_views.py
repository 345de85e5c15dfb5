"""Pages across incidents: the library of post-mortems, follow-ups, and what all of it teaches."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents import follow_ups as work
from incidents import incident as decide
from incidents import learning, library, search
from incidents.forms import FollowUpForm
from incidents.guard import Refused, where
from incidents.measures import PAIRS, SHORT
from incidents.models import FollowUp
from incidents.pages import environment_named
from incidents.severity import SEVERITIES
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can

A_PAGE = 25
CSV, JSON = "text/csv; charset=utf-8", "application/json"


def _asked(data: QueryDict, names: tuple[str, ...], **otherwise: str) -> dict[str, str]:
    return {name: data.get(name, otherwise.get(name, "")).strip() for name in names}


@require_GET
@requires(Verb.VIEW)
def postmortems(request: HttpRequest) -> HttpResponse:
    """The library of post-mortems."""
    place = environment_named(request.GET.get("environment"))
    asked = _asked(request.GET, library.FILTERS)
    page = Paginator(library.find(asked, place.name), A_PAGE).get_page(request.GET.get("page"))
    work_left = library.open_follow_ups(page)
    shown = {
        "page_obj": page,
        "rows": [(incident, work_left.get(incident.pk, 0)) for incident in page],
        "asked": asked,
        "filtered": any(asked.values()),
        "wordless": search.wordless(asked["q"]),
        "states": library.STATES.items(),
        "severities": SEVERITIES,
        "tab": "library",
    }
    return render(request, "learning/library.html", shown)


@require_GET
@requires(Verb.VIEW)
def follow_ups(request: HttpRequest) -> HttpResponse:
    """The follow-ups of every incident; the open ones unless another state is asked for."""
    place = environment_named(request.GET.get("environment"))
    asked = _asked(request.GET, work.FILTERS, state=FollowUp.State.OPEN)
    today = timezone.now().date()
    found = work.find(asked, today, place.name)
    page = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    shown = {
        "page_obj": page,
        "rows": [(each, each.is_late(today)) for each in page],
        "asked": asked,
        "filtered": asked != _asked(QueryDict(), work.FILTERS, state=FollowUp.State.OPEN),
        "states": FollowUp.State.choices,
        "kinds": FollowUp.Kind.choices,
        "dues": work.DUE.items(),
        "late": work.find(_asked(QueryDict(), work.FILTERS, due="overdue"), today, place.name).count(),
        "query": request.GET.urlencode(),
        "can_join": can(user_of(request), Verb.JOIN, place),
        "tab": "follow_ups",
    }
    return render(request, "learning/follow_ups.html", shown)


@require_GET
@requires(Verb.VIEW)
def follow_ups_csv(request: HttpRequest) -> StreamingHttpResponse:
    """What the page shows, all of it, for a spreadsheet."""
    today = timezone.now().date()
    return _file(learning.joined(work.as_csv(_filtered(request), today)), "follow-ups.csv", CSV)


@require_GET
@requires(Verb.VIEW)
def follow_ups_json(request: HttpRequest) -> StreamingHttpResponse:
    """What the page shows, all of it, for a program."""
    found = work.rows(_filtered(request), timezone.now().date())
    return _file(learning.json_pieces({}, "follow_ups", found), "follow-ups.json", JSON)


def _filtered(request: HttpRequest) -> Any:
    place = environment_named(request.GET.get("environment"))
    asked = _asked(request.GET, work.FILTERS, state=FollowUp.State.OPEN)
    return work.find(asked, timezone.now().date(), place.name).iterator(chunk_size=learning.A_READ)


@require_http_methods(["GET", "POST"])
@requires(Verb.JOIN)
def follow_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a follow-up: who, until when, what."""
    each = get_object_or_404(FollowUp.objects.select_related("incident"), pk=pk)
    form = FollowUpForm(request.POST or None, instance=each)
    if request.method == "POST" and form.is_valid():
        work.change(pk, form.cleaned_data, by=user_of(request))
        return redirect("learning:follow_ups")
    shown = {"follow_up": each, "form": form, "can_join": can(user_of(request), Verb.JOIN, where(each.incident))}
    return render(request, "learning/follow_up.html", shown, status=409 if form.errors else 200)


@require_POST
@requires(Verb.JOIN)
def follow_up_state(request: HttpRequest, pk: int) -> HttpResponse:
    """Finish, drop or open a follow-up again, and go back to the list as it was."""
    each = get_object_or_404(FollowUp.objects.select_related("incident"), pk=pk)
    try:
        decide.set_follow_up_state(each.incident.number, pk, request.POST.get("state", ""), by=user_of(request))
    except Refused as refusal:
        return HttpResponse(refusal.sentence, status=409, content_type="text/plain; charset=utf-8")
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if safe and back.startswith("/") else "learning:follow_ups")


@require_GET
@requires(Verb.VIEW)
def lessons(request: HttpRequest) -> HttpResponse:
    """Times, factors, actions and alerts over a span, with how far each number carries."""
    place = environment_named(request.GET.get("environment"))
    span, since = _span(request)
    times = learning.times(place.name, since)
    shown = {
        "span": span,
        "spans": learning.SPANS.items(),
        "span_word": learning.SPANS[span],
        "meanings": [(SHORT[name], name, meaning) for name, meaning, *_ in PAIRS if name in SHORT],
        "incidents": sum(group.incidents for group in times["all"]),
        "measures": SHORT.items(),
        "tables": [
            ("All", times["all"]),
            ("By severity", times["severity"]),
            ("By service", times["service"]),
            ("By month", times["month"]),
        ],
        "factors": learning.by_factor(place.name, since),
        "actions": learning.actions(place.name, since),
        "noise": learning.noise(place.name, since),
        "query": request.GET.urlencode(),
        "tab": "lessons",
    }
    return render(request, "learning/lessons.html", shown)


@require_GET
@requires(Verb.VIEW)
def lessons_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every measure of every incident, for a spreadsheet."""
    place = environment_named(request.GET.get("environment"))
    return _file(learning.as_csv(place.name, _span(request)[1]), "learning.csv", CSV)


@require_GET
@requires(Verb.VIEW)
def lessons_json(request: HttpRequest) -> StreamingHttpResponse:
    """All that the page shows, for a program."""
    place = environment_named(request.GET.get("environment"))
    return _file(learning.as_json(place.name, _span(request)[1]), "learning.json", JSON)


def _span(request: HttpRequest) -> tuple[str, datetime | None]:
    asked = request.GET.get("span", "")
    span = asked if asked in learning.SPANS else "90"
    return span, None if span == "all" else timezone.now() - timedelta(days=int(span))


def _file(pieces: Iterator[str], name: str, content_type: str) -> StreamingHttpResponse:
    """A file that is sent while it is read."""
    answer = StreamingHttpResponse(pieces, content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="novaops-{name}"'
    return answer
