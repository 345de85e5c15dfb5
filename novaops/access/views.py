"""The page where a signed-in user steps up."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from novaops.access import sudo as stepping_up
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb


@sensitive_post_parameters("password", "code", "credential")
@require_http_methods(["GET", "POST"])
@requires(Verb.VIEW)
def sudo(request: HttpRequest) -> HttpResponse:
    """Ask for the account's factor, then return to where the user came from; nothing is sent on their behalf."""
    user = user_of(request)
    back = stepping_up.safe_return(request, request.POST.get("next") or request.GET.get("next", "/"))
    ways = stepping_up.forms_for(request, user)
    proven = next((form for form in ways.values() if form.is_bound and form.is_valid()), None)
    if proven:
        stepping_up.grant(request, user, proven)
        return redirect(back)
    asked = stepping_up.challenge(user) if "key" in ways else None
    return render(request, "access/sudo.html", {"ways": ways, "next": back, "challenge": asked})
