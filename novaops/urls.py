"""Where every page and machine interface of NovaOps lives."""

from allauth.account import urls as account_urls
from django.apps import apps
from django.urls import include, path

# A forgotten password is set anew by an administrator: NovaOps sends no mail.
accounts = [one for one in account_urls.urlpatterns if not (one.name or "").startswith("account_reset_password")]

urlpatterns = [
    path("accounts/", include(accounts)),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("", include("novaops.access.urls")),
    path("api/v1/", include("novaops.runbook.api_urls")),
    path("", include("novaops.outbox.urls")),
    path("", include("novaops.runbook.urls")),
    path("", include("dashboard.urls")),
    path("incidents/", include("incidents.urls")),
    path("hooks/slack/", include("incidents.slack_urls")),
    path("backups/", include("backups.urls")),
    path("", include("incidents.learning_urls")),
    *([path("sandbox/", include("novaops.sandbox.urls"))] if apps.is_installed("novaops.sandbox") else []),
]
handler500 = "dashboard.health.server_error"
