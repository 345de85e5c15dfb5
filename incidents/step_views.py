"""Pages of the checklist: one step with its proof and what it lacks, and what people add to it."""

from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from incidents import checklist
from incidents import incident as decide
from incidents.differences import differences
from incidents.forms import AffectedForm, MessageForm, OwnerForm, ReportForm, SeverityForm
from incidents.guard import Conflict, Refused
from incidents.models import Incident
from incidents.pages import form_key, incident_of, room_context, shows_refusal, step_context, to_checklist, to_step
from incidents.steps import STEP, StepKey
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb


@require_GET
@requires(Verb.VIEW)
def step(request: HttpRequest, number: int, key: str) -> HttpResponse:
    """One step: the runbook's words, its parts, its proof, what it lacks, and the forms that mend that."""
    if key not in STEP:
        raise Http404
    incident = incident_of(number)
    return _step_page(request, incident, key)


def _step_page(request: HttpRequest, incident: Incident, key: str, status: int = 200, **forms: object) -> HttpResponse:
    context = room_context(request, incident)
    context |= step_context(context, key) | forms
    return render(request, "incidents/step.html", context, status=status)


def _conflict(request: HttpRequest, conflict: Conflict, form: Form, name: str) -> HttpResponse:
    """The form again with what was typed and what is there by now; saving it once more is meant."""
    there = conflict.incident
    typed = request.POST.copy()
    typed["version"] = str(there.version)
    again = type(form)(typed, auto_id=f"{name.removesuffix('_form')}-%s")
    more = {name: again, "conflict": conflict, "differences": differences(there, form.cleaned_data)}
    return _step_page(request, incident_of(there.number), StepKey.ASSESS, 409, **more)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def complete(request: HttpRequest, number: int, *, key: str) -> HttpResponse:
    """Close a step on its evidence; resolving ends at the post-mortem."""
    incident = checklist.complete(number, key, by=user_of(request))
    return redirect("incidents:postmortem", number) if key == StepKey.RESOLVE else to_checklist(incident)


@require_POST
@requires(Verb.COMMAND)
@shows_refusal
def override(request: HttpRequest, number: int, *, key: str) -> HttpResponse:
    """Close a step without its evidence, with a reason."""
    return to_checklist(checklist.override(number, key, request.POST.get("reason", ""), by=user_of(request)))


@require_POST
@requires(Verb.COMMAND)
@shows_refusal
def skip(request: HttpRequest, number: int, *, key: str) -> HttpResponse:
    """Skip a step, with a reason."""
    return to_checklist(checklist.skip(number, key, request.POST.get("reason", ""), by=user_of(request)))


@require_POST
@requires(Verb.COMMAND)
@shows_refusal
def reopen(request: HttpRequest, number: int, *, key: str) -> HttpResponse:
    """Open a closed step again, with a reason."""
    return to_checklist(checklist.reopen_step(number, key, request.POST.get("reason", ""), by=user_of(request)))


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def owner(request: HttpRequest, number: int, *, key: str) -> HttpResponse:
    """Say who sees to a step; without a name, oneself."""
    form = OwnerForm(request.POST)
    chosen = form.cleaned_data["owner"] if form.is_valid() and "owner" in request.POST else user_of(request)
    checklist.set_owner(number, key, chosen, by=user_of(request))
    return to_step(number, key, "id_owner") if key in STEP else redirect("incidents:room", number)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def tick(request: HttpRequest, number: int, item: int) -> HttpResponse:
    """Tick a part of a step, or untick it."""
    checklist.tick(number, item, request.POST.get("done") == "on", by=user_of(request))
    key = request.POST.get("step", "")
    return to_step(number, key, f"item-{item}") if key in STEP else redirect("incidents:room", number)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def report(request: HttpRequest, number: int) -> HttpResponse:
    """Record what a person saw."""
    form = ReportForm(request.POST)
    if not form.is_valid():
        return _step_page(request, incident_of(number), StepKey.DETECT, 409, report_form=form)
    said = form.cleaned_data
    decide.note(number, said["text"], by=user_of(request), key=form_key(request), at=said["at"], report=True)
    return to_step(number, StepKey.DETECT)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def affected(request: HttpRequest, number: int) -> HttpResponse:
    """Set what is affected and how."""
    form = AffectedForm(request.POST)
    if not form.is_valid():
        return _step_page(request, incident_of(number), StepKey.ASSESS, 409, affected_form=form)
    said = form.cleaned_data
    try:
        decide.set_affected(
            number,
            tuple(said["services"]),
            said["impact"],
            by=user_of(request),
            title=said["title"],
            version=said["version"],
        )
    except Conflict as conflict:
        return _conflict(request, conflict, form, "affected_form")
    return to_step(number, StepKey.ASSESS)


@require_POST
@requires(Verb.COMMAND)
@shows_refusal
def severity(request: HttpRequest, number: int) -> HttpResponse:
    """Change the severity."""
    form = SeverityForm(request.POST)
    if not form.is_valid():
        return _step_page(request, incident_of(number), StepKey.ASSESS, 409, severity_form=form)
    said = form.cleaned_data
    try:
        decide.set_severity(
            number, said["severity"], by=user_of(request), reason=said["reason"], version=said["version"]
        )
    except Conflict as conflict:
        return _conflict(request, conflict, form, "severity_form")
    return to_step(number, StepKey.ASSESS)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def message(request: HttpRequest, number: int) -> HttpResponse:
    """Record a message and where it was posted."""
    form = MessageForm(request.POST)
    if not form.is_valid():
        return _step_page(request, incident_of(number), StepKey.COMMUNICATE, 409, message_form=form)
    said = form.cleaned_data
    decide.message(number, said["channel"], said["text"], by=user_of(request), url=said["url"], key=form_key(request))
    return to_step(number, StepKey.COMMUNICATE)


@require_POST
@requires(Verb.JOIN)
def no_action(request: HttpRequest, number: int) -> HttpResponse:
    """Note why no action was needed."""
    try:
        checklist.no_action(number, request.POST.get("why", ""), by=user_of(request), key=form_key(request))
    except Refused as refusal:
        return _step_page(request, incident_of(number), StepKey.MITIGATE, 409, refusal=refusal, typed=request.POST)
    return to_step(number, StepKey.MITIGATE)
