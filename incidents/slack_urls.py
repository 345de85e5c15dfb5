"""What Slack itself calls."""

from django.urls import path

from incidents import slack_views

app_name = "slack"
urlpatterns = [path("command", slack_views.command, name="command")]
