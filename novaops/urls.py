"""Where every page and machine interface of NovaOps lives."""

from django.apps import apps
from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("", include("novaops.access.urls")),
    path("api/v1/", include("novaops.runbook.api")),
    path("", include("novaops.runbook.urls")),
    path("", include("dashboard.urls")),
    path("incidents/", include("incidents.urls")),
    *([path("sandbox/", include("novaops.sandbox.urls"))] if apps.is_installed("novaops.sandbox") else []),
]
handler500 = "dashboard.health.server_error"
