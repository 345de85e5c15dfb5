"""Pages of incidents: the list, the room, and what is written there."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents import browse, checklist, commands, merging, search, telling, telling_merged
from incidents import incident as decide
from incidents.forms import FollowUpForm, service_choices
from incidents.guard import Refused, where
from incidents.models import Incident, Role
from incidents.pages import environment_named, form_key, incident_of, room_context, shows_refusal, whole
from incidents.room import revision, topics
from incidents.severity import SEVERITIES
from novaops import live
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can


@require_GET
@requires(Verb.VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Incidents, newest first; the filters are in the URL."""
    asked = {name: request.GET.get(name, "") for name in browse.FILTERS}
    place = environment_named(request.GET.get("environment"))
    before = whole(request.GET.get("before", ""))
    context = {
        "page": browse.page(browse.find(place, asked), before),
        "before": before,
        "wordless": search.wordless(asked["q"]),
        "asked": asked,
        "filtered": any(asked.values()),
        "states": Incident.State.choices,
        "severities": SEVERITIES.values(),
        "services": service_choices(),
        "can_join": can(user_of(request), Verb.JOIN, place),
    }
    return render(request, "incidents/list.html", context)


@require_GET
@requires(Verb.VIEW)
def room(request: HttpRequest, number: int) -> HttpResponse:
    """The room that a commander keeps open; its polled part is the same template."""
    incident = incident_of(number)
    polled = bool(request.htmx)  # type: ignore[attr-defined]
    if polled:
        place = where(incident)
        live.remember(request, topics(incident, place), place.collect_every_s)
        if same := live.unchanged(request, revision(incident, place)):
            return same
    context = room_context(request, incident) | {"polled": polled}
    return render(request, "incidents/_live.html" if polled else "incidents/room.html", context)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def compose(request: HttpRequest, number: int) -> HttpResponse:
    """Do what the composer says: a note, an update, a severity, a role."""
    by, typed = user_of(request), commands.parse(request.POST.get("text", ""))
    match typed:
        case commands.Note(text=text):
            decide.note(number, text, by=by, key=form_key(request))
        case commands.Update(text=text):
            telling.update(number, text, by=by, key=form_key(request))
        case commands.SetSeverity(severity=severity, reason=reason):
            decide.set_severity(number, severity, by=by, reason=reason)
        case commands.SetRole(role=role, username=username):
            _give(number, role, username, by)
        case commands.Unknown(sentence=sentence):
            raise Refused(sentence)
    return _back(number, "#compose")


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
    return _back(number, "#roles-title")


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def join(request: HttpRequest, number: int) -> HttpResponse:
    """Join as a responder."""
    decide.set_role(number, Role.Name.RESPONDER, user_of(request), by=user_of(request))
    return _back(number, "#roles-title")


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
    """Mark a timeline entry as a key moment or keep it on top, or no longer."""
    name = next((name for name in decide.MARKS if name in request.POST), "")
    decide.mark(number, entry, name, request.POST.get(name) == "on", by=user_of(request))
    return _back(number, f"#entry-{entry}-{name}")


@require_http_methods(["GET", "POST"])
@requires(Verb.VIEW)
def follow_ups(request: HttpRequest, number: int) -> HttpResponse:
    """The follow-ups of an incident, and the form that adds one."""
    incident = incident_of(number)
    form = FollowUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        decide.add_follow_up(number, form.save(commit=False), by=user_of(request))
        return redirect(reverse("incidents:follow_ups", args=[number]) + "#id_title")
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


@require_http_methods(["GET", "POST"])
@requires(Verb.COMMAND)
@shows_refusal
def merge(request: HttpRequest, number: int) -> HttpResponse:
    """Choose which open incident this one is the same as, and merge it into that one."""
    if request.method == "POST":
        target = whole(request.POST.get("into", "")) or 0
        return redirect(merging.merge(number, target, request.POST.get("reason", ""), by=user_of(request)))
    incident = incident_of(number)
    tells = telling_merged.preview(incident, where(incident))
    context = {"incident": incident, "candidates": merging.candidates(incident), "tells": tells}
    return render(request, "incidents/merge.html", context)


@require_POST
@requires(Verb.COMMAND)
@shows_refusal
def reopen(request: HttpRequest, number: int) -> HttpResponse:
    """Open a resolved incident again."""
    checklist.reopen(number, request.POST.get("reason", ""), by=user_of(request))
    return _back(number)


def _back(number: int, fragment: str = "") -> HttpResponse:
    return redirect(reverse("incidents:room", args=[number]) + fragment)
