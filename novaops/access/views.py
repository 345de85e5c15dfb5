"""The page where a signed-in user steps up."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from novaops.access import sudo as stepping_up
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb


class PasswordForm(forms.Form):
    """The account's password, asked for once more."""

    password = forms.CharField(
        label="Your password", widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@requires(Verb.VIEW)
def sudo(request: HttpRequest) -> HttpResponse:
    """Ask for the password, then return to where the user came from; nothing is sent on their behalf."""
    back = stepping_up.safe_return(request, request.POST.get("next") or request.GET.get("next", "/"))
    form = PasswordForm(request.POST or None)
    if form.is_valid():
        refusal = stepping_up.grant(request, user_of(request), form.cleaned_data["password"])
        if not refusal:
            return redirect(back)
        form.add_error("password", refusal)
    return render(request, "access/sudo.html", {"form": form, "next": back})
