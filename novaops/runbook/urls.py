"""Pages of actions, plans, runs and the audit chain."""

from django.urls import path, re_path

from novaops.runbook import approval_views, audit_views, control_views, views

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
    path("runs/<int:pk>/judgement", views.judge, name="judge"),
    path("approvals/", approval_views.inbox, name="approvals"),
    path("approvals/<int:pk>/", approval_views.approval, name="approval"),
    path("approvals/<int:pk>/approve", approval_views.approve, name="approve"),
    path("approvals/<int:pk>/refuse", approval_views.refuse, name="refuse"),
    path("controls/", control_views.controls, name="controls"),
    path("controls/freeze", control_views.freeze, name="freeze"),
    path("controls/lift", control_views.lift, name="lift"),
    path("controls/undo/<int:pk>", control_views.put_back, name="put-back"),
    path("controls/keep/<int:pk>", control_views.keep, name="keep"),
    path("audit/", audit_views.entries, name="audit"),
    re_path(r"^audit/export\.(?P<form>csv|jsonl)$", audit_views.export, name="audit-export"),
]
