"""Pages of incidents: the list, declaring, the room, and what is written there."""

from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.models import Alert
from incidents import checklist, commands, declaring
from incidents import incident as decide
from incidents.forms import DeclareForm, FollowUpForm
from incidents.guard import Refused, where
from incidents.models import Incident, Role
from incidents.pages import form_key, incident_of, room_context, shows_refusal
from incidents.room import revision
from incidents.severity import FOR_ALERT, SEVERITIES
from novaops import environment as environments
from novaops import live
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can

INCIDENTS_A_PAGE = 25


@require_GET
@requires(Verb.VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Incidents, newest first; the filters are in the URL."""
    asked = {name: request.GET.get(name, "") for name in ("state", "severity", "q")}
    place = _environment(request.GET.get("environment"))
    found = Incident.objects.filter(environment=place.name).select_related("commander")
    if asked["state"] in Incident.State.values:
        found = found.filter(state=asked["state"])
    if asked["severity"] in SEVERITIES:
        found = found.filter(severity=asked["severity"])
    if asked["q"]:
        found = found.filter(title__icontains=asked["q"])
    page = Paginator(found.prefetch_related("steps"), INCIDENTS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page,
        "asked": asked,
        "filtered": any(asked.values()),
        "states": Incident.State.choices,
        "severities": SEVERITIES.values(),
        "can_join": can(user_of(request), Verb.JOIN, place),
    }
    return render(request, "incidents/list.html", context)


@require_http_methods(["GET", "POST"])
@requires(Verb.JOIN)
def new(request: HttpRequest) -> HttpResponse:
    """Declare: from the newest firing alert (or `?alert=`), or from what a person saw. What was typed is kept."""
    if request.method == "GET":
        place = _environment(request.GET.get("environment"))
        return _new_page(request, DeclareForm(initial=_proposal(place, request.GET.get("alert", ""))))
    form = DeclareForm(request.POST)
    if not form.is_valid():
        return _new_page(request, form)
    try:
        declared = declaring.declare(_declaration(form), by=user_of(request), anyway=form.cleaned_data["anyway"])
    except declaring.Covered as refusal:
        return _new_page(request, form, covered=refusal.incident)
    except Refused as refusal:
        form.add_error(None, refusal.sentence)
        return _new_page(request, form)
    return redirect(declared)


def _new_page(request: HttpRequest, form: DeclareForm, covered: Incident | None = None) -> HttpResponse:
    same_cause = bool(
        covered
        and form.is_bound
        and form.cleaned_data.get("alert")
        and covered.dedup_key == form.cleaned_data["alert"].dedup_key
    )
    open_now = Incident.objects.filter(state=Incident.State.OPEN).select_related("commander")[:5]
    context = {"form": form, "covered": covered, "same_cause": same_cause, "open_now": open_now}
    return render(request, "incidents/new.html", context, status=409 if covered else 200)


def _proposal(place: environments.Environment, asked: str) -> dict[str, Any]:
    firing = Alert.objects.filter(environment=place.name, cleared_at=None)
    alert = firing.filter(pk=asked).first() if asked.isdecimal() else None if asked else firing.first()
    if alert is None:
        return {"environment": place.name}
    return {
        "environment": place.name,
        "alert": alert.pk,
        "title": alert.title,
        "severity": FOR_ALERT.get(alert.severity, "SEV3"),
        "services": [alert.service],
        "impact": "",
    }


def _declaration(form: DeclareForm) -> declaring.Declaration:
    said = form.cleaned_data
    return declaring.Declaration(
        environment=_environment(said["environment"]),
        title=said["title"],
        severity=said["severity"],
        services=tuple(said["services"]),
        impact=said["impact"],
        report=said["report"],
        started_at=said["started_at"],
        alert=said["alert"],
    )


def _environment(name: str | None) -> environments.Environment:
    found = environments.get(name) if name else environments.default()
    if found is None:
        raise Http404(f"There is no environment {name!r}.")
    return found


@require_GET
@requires(Verb.VIEW)
def room(request: HttpRequest, number: int) -> HttpResponse:
    """The room that a commander keeps open; its polled part is the same template."""
    incident = incident_of(number)
    polled = bool(request.htmx)  # type: ignore[attr-defined]
    if polled and (same := live.unchanged(request, revision(incident, where(incident)))):
        return same
    context = room_context(request, incident)
    return render(request, "incidents/_live.html" if polled else "incidents/room.html", context)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def compose(request: HttpRequest, number: int) -> HttpResponse:
    """Do what the composer says: a note, a severity, a role."""
    by, typed = user_of(request), commands.parse(request.POST.get("text", ""))
    match typed:
        case commands.Note(text=text):
            decide.note(number, text, by=by, key=form_key(request))
        case commands.SetSeverity(severity=severity, reason=reason):
            decide.set_severity(number, severity, by=by, reason=reason)
        case commands.SetRole(role=role, username=username):
            _give(number, role, username, by)
        case commands.Unknown(sentence=sentence):
            raise Refused(sentence)
    return _back(number)


def _give(number: int, role: str, username: str, by: User) -> None:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise Refused(f"There is no user {username!r}.")
    if role == "commander":
        decide.set_commander(number, user, by=by)
    else:
        decide.set_role(number, role, user, by=by)


@require_POST
@requires(Verb.COMMAND)
@shows_refusal
def command(request: HttpRequest, number: int) -> HttpResponse:
    """Take command."""
    decide.set_commander(number, user_of(request), by=user_of(request))
    return _back(number)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def join(request: HttpRequest, number: int) -> HttpResponse:
    """Join as a responder."""
    decide.set_role(number, Role.Name.RESPONDER, user_of(request), by=user_of(request))
    return _back(number)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def end_role(request: HttpRequest, number: int, role: int) -> HttpResponse:
    """End a role."""
    decide.end_role(number, role, by=user_of(request))
    return _back(number)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def star(request: HttpRequest, number: int, entry: int) -> HttpResponse:
    """Mark a timeline entry as a key moment, or no longer."""
    decide.star(number, entry, request.POST.get("starred") == "on", by=user_of(request))
    return _back(number, f"#entry-{entry}")


@require_http_methods(["GET", "POST"])
@requires(Verb.VIEW)
def follow_ups(request: HttpRequest, number: int) -> HttpResponse:
    """The follow-ups of an incident, and the form that adds one."""
    incident = incident_of(number)
    form = FollowUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        decide.add_follow_up(number, form.save(commit=False), by=user_of(request))
        return redirect("incidents:follow_ups", number)
    context = {
        "incident": incident,
        "follow_ups": incident.follow_ups.select_related("owner"),
        "form": form,
        "can_join": can(user_of(request), Verb.JOIN, where(incident)),
    }
    return render(request, "incidents/follow_ups.html", context, status=409 if form.errors else 200)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def follow_up_state(request: HttpRequest, number: int, follow_up: int) -> HttpResponse:
    """Finish, drop or open a follow-up again."""
    decide.set_follow_up_state(number, follow_up, request.POST.get("state", ""), by=user_of(request))
    return redirect("incidents:follow_ups", number)


@require_POST
@requires(Verb.COMMAND)
@shows_refusal
def reopen(request: HttpRequest, number: int) -> HttpResponse:
    """Open a resolved incident again."""
    checklist.reopen(number, request.POST.get("reason", ""), by=user_of(request))
    return _back(number)


def _back(number: int, fragment: str = "") -> HttpResponse:
    return redirect(reverse("incidents:room", args=[number]) + fragment)
