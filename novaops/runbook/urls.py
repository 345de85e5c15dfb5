"""Pages of actions, plans, runs and the audit chain."""

from django.urls import path

from novaops.runbook import audit_views, views

app_name = "runbook"
urlpatterns = [
    path("actions/", views.catalogue, name="catalogue"),
    path("actions/<slug:key>/new", views.new, name="new"),
    path("actions/<slug:key>/plans", views.plan, name="plan"),
    path("plans/<uuid:pk>/", views.preview, name="preview"),
    path("plans/<uuid:pk>/runs", views.confirm, name="confirm"),
    path("runs/", views.runs, name="runs"),
    path("runs/<int:pk>/", views.run, name="run"),
    path("runs/<int:pk>/cancel", views.cancel, name="cancel"),
    path("runs/<int:pk>/check", views.check, name="check"),
    path("runs/<int:pk>/decision", views.decide, name="decide"),
    path("audit/", audit_views.entries, name="audit"),
]
