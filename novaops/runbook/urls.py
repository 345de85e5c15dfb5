"""Pages of actions, plans, runs and the audit chain."""

app_name = "runbook"
urlpatterns: list = []
