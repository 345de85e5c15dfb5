"""The page of the key moments: when they were, how long things took, and setting one to its true time."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from incidents import moments
from incidents.forms import MomentForm
from incidents.guard import Conflict, Refused, where
from incidents.measures import measures
from incidents.pages import incident_of
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can


@require_http_methods(["GET", "POST"])
@requires(Verb.VIEW)
def page(request: HttpRequest, number: int) -> HttpResponse:
    """The moments with their history, and the form that corrects one."""
    incident = incident_of(number)
    form = MomentForm(request.POST if request.method == "POST" else None, initial={"version": incident.version})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            moments.set_moment(
                number, said["name"], said["at"], said["reason"], by=user_of(request), version=said["version"]
            )
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
            if isinstance(refusal, Conflict):
                form.data = {**request.POST.dict(), "version": str(refusal.incident.version)}
        else:
            return redirect("incidents:moments", number)
    context = {
        "incident": incident,
        "moments": moments.of(incident),
        "measures": measures(incident.moments),
        "history": moments.history(incident),
        "form": form,
        "can_join": can(user_of(request), Verb.JOIN, where(incident)),
    }
    return render(request, "incidents/moments.html", context, status=409 if form.errors else 200)
