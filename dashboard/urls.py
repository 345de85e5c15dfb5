"""The dashboard's pages, and what machines ask of NovaOps."""

from django.urls import path

from dashboard import (
    alert_views,
    commands,
    detail_views,
    health,
    metrics_views,
    notices,
    service_views,
    threshold_views,
    views,
    vital_views,
)
from dashboard.hooks import webhook_views
from dashboard.hooks.views import receive

app_name = "dashboard"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("fragments/overview", views.tiles, name="tiles"),
    path("services/", service_views.index, name="services"),
    path("services/<slug:kind>/", service_views.service, name="service"),
    path("services/<slug:kind>/detail/", detail_views.detail, name="detail"),
    path("services/<slug:kind>/ask/<slug:subject>", detail_views.ask, name="ask"),
    path("services/<slug:kind>/asked/<uuid:pk>/", detail_views.enquiry, name="enquiry"),
    path("services/<slug:kind>/table/", service_views.table, name="table"),
    path("settings/thresholds/", threshold_views.thresholds_page, name="thresholds"),
    path("settings/thresholds/<slug:key>/", threshold_views.threshold, name="threshold"),
    path("settings/thresholds/<slug:key>/change", threshold_views.change_threshold, name="change-threshold"),
    path("settings/thresholds/<slug:key>/reset", threshold_views.reset_threshold, name="reset-threshold"),
    path("metrics/<slug:kind>.json", metrics_views.metrics, name="history"),
    path("commands", commands.commands, name="commands"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("vitals/", vital_views.page, name="vitals"),
    path("metrics", vital_views.metrics, name="metrics"),
    path("fragments/notices", notices.notices, name="notices"),
    path("alerts/", alert_views.alerts, name="alerts"),
    path("alerts/<int:pk>/", alert_views.alert, name="alert"),
    path("alerts/<int:pk>/silence", alert_views.silence, name="silence"),
    path("alerts/<int:pk>/close", alert_views.close, name="close-alert"),
    path("silences/<int:pk>/lift", alert_views.lift, name="lift-silence"),
    path("maintenance/", alert_views.maintenance, name="maintenance"),
    path("maintenance/plan", alert_views.plan, name="plan-maintenance"),
    path("maintenance/<int:pk>/finish", alert_views.finish, name="finish-maintenance"),
    path("settings/webhooks/", webhook_views.webhooks, name="webhooks"),
    path("settings/webhooks/<int:pk>/accept", webhook_views.accept, name="accept-topic"),
    path("hooks/<slug:source>", receive, name="hook"),
    path("csp-report", health.csp_report, name="csp-report"),
]
