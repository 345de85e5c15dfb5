"""The inbox of approvals, and the decision of a second person."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from novaops import environment as environments
from novaops.access import sudo
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.runbook import approvals
from novaops.runbook.models import Approval

DECIDED_SHOWN = 20


@require_GET
@requires(Verb.VIEW)
def inbox(request: HttpRequest) -> HttpResponse:
    """What waits for a second person, and what was decided lately."""
    found = Approval.objects.select_related("run__requested_by", "decided_by")
    pending = found.filter(state=Approval.State.PENDING).order_by("expires_at")
    decided = found.exclude(state=Approval.State.PENDING)[:DECIDED_SHOWN]
    return render(request, "runbook/approvals.html", {"pending": pending, "decided": decided})


@require_GET
@requires(Verb.VIEW)
def approval(request: HttpRequest, pk: int) -> HttpResponse:
    """The plan that somebody else is asked to approve."""
    return _page(request, _found(pk))


@require_POST
@requires(Verb.APPROVE)
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    """Consent to the plan; asks the approver to step up first."""
    found = _found(pk)
    if not sudo.active(request):
        return sudo.step_up(found.get_absolute_url())
    try:
        approvals.approve(found, by=user_of(request))
    except approvals.Refused as refusal:
        return _page(request, found, str(refusal))
    return redirect(found.run)


@require_POST
@requires(Verb.APPROVE)
def refuse(request: HttpRequest, pk: int) -> HttpResponse:
    """Decline the plan with a reason."""
    found = _found(pk)
    try:
        approvals.refuse(found, by=user_of(request), reason=request.POST.get("reason", ""))
    except approvals.Refused as refusal:
        return _page(request, found, str(refusal))
    return redirect(found.run)


def _found(pk: int) -> Approval:
    return get_object_or_404(Approval.objects.select_related("run__plan", "run__requested_by", "decided_by"), pk=pk)


def _page(request: HttpRequest, found: Approval, refusal: str = "") -> HttpResponse:
    user, environment = user_of(request), environments.get(found.run.environment)
    context = {
        "approval": found,
        "plan": found.run.plan,
        "run": found.run,
        "own": found.requested_by == user,
        "can_approve": can(user, Verb.APPROVE, environment),
        "stepped_up": sudo.active(request),
        "refusal": refusal,
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "runbook/approval.html", context, status=409 if refusal else 200)
