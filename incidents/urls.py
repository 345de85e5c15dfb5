"""Pages of incidents and post-mortems."""

from django.urls import path

from incidents import (
    declare_views,
    drill_views,
    editor_views,
    moment_views,
    postmortem_views,
    role_views,
    slack_views,
    step_views,
    telling_views,
    views,
)
from incidents.pages import follows_merge

app_name = "incidents"
urlpatterns = [
    path("", views.index, name="list"),
    path("new", declare_views.new, name="new"),
    path("drills/", drill_views.index, name="drills"),
    path("drills/start", drill_views.start, name="drill_start"),
    path("drills/<int:drill>/end", drill_views.end, name="drill_end"),
    path("declare/<int:alert>", declare_views.declare_alert, name="declare_alert"),
    path("slack-people", slack_views.people, name="slack_people"),
    path("slack-people/<int:pk>/remove", slack_views.remove_person, name="remove_slack_person"),
    path("<int:number>/", views.room, name="room"),
    path("<int:number>/compose", views.compose, name="compose"),
    path("<int:number>/command", views.command, name="command"),
    path("<int:number>/join", views.join, name="join"),
    path("<int:number>/roles", role_views.roles, name="roles"),
    path("<int:number>/here", role_views.here, name="here"),
    path("<int:number>/roles/<int:role>/end", views.end_role, name="end_role"),
    path("<int:number>/entries/<int:entry>/star", views.star, name="star"),
    path("<int:number>/follow-ups", views.follow_ups, name="follow_ups"),
    path("<int:number>/follow-ups/<int:follow_up>/state", views.follow_up_state, name="follow_up_state"),
    path("<int:number>/merge", views.merge, name="merge"),
    path("<int:number>/reopen", views.reopen, name="reopen"),
    path("<int:number>/steps/<slug:key>/", step_views.step, name="step"),
    path("<int:number>/steps/<slug:key>/complete", step_views.complete, name="complete"),
    path("<int:number>/steps/<slug:key>/override", step_views.override, name="override"),
    path("<int:number>/steps/<slug:key>/skip", step_views.skip, name="skip"),
    path("<int:number>/steps/<slug:key>/reopen", step_views.reopen, name="reopen_step"),
    path("<int:number>/steps/<slug:key>/owner", step_views.owner, name="owner"),
    path("<int:number>/moments", moment_views.page, name="moments"),
    path("<int:number>/items/<int:item>", step_views.tick, name="tick"),
    path("<int:number>/report", step_views.report, name="report"),
    path("<int:number>/affected", step_views.affected, name="affected"),
    path("<int:number>/severity", step_views.severity, name="severity"),
    path("<int:number>/messages", step_views.message, name="message"),
    path("<int:number>/tell", telling_views.tell, name="tell"),
    path("<int:number>/pagerduty", telling_views.pagerduty, name="pagerduty"),
    path("<int:number>/summary", telling_views.summary, name="summary"),
    path("<int:number>/no-action", step_views.no_action, name="no_action"),
    path("<int:number>/postmortem/", postmortem_views.read, name="postmortem"),
    path("<int:number>/postmortem/edit", editor_views.edit, name="postmortem_edit"),
    path("<int:number>/postmortem/preview", editor_views.preview, name="postmortem_preview"),
    path("<int:number>/postmortem/autosave", editor_views.autosave, name="postmortem_autosave"),
    path("<int:number>/postmortem/discard", editor_views.discard, name="postmortem_discard"),
    path("<int:number>/postmortem/versions", editor_views.versions, name="postmortem_versions"),
    path("<int:number>/postmortem/review", postmortem_views.ask_review, name="postmortem_review"),
    path("<int:number>/postmortem/review/decide", postmortem_views.decide_review, name="postmortem_decide"),
    path("<int:number>/postmortem/publish", postmortem_views.publish, name="postmortem_publish"),
    path("<int:number>/postmortem/waive", postmortem_views.waive, name="postmortem_waive"),
    path("<int:number>/postmortem/regenerate", postmortem_views.regenerate, name="postmortem_regenerate"),
    path("<int:number>/postmortem/export", postmortem_views.export, name="postmortem_export"),
    path("<int:number>/postmortem/download", postmortem_views.download, name="postmortem_download"),
    path("<int:number>/postmortem/print", postmortem_views.print_view, name="postmortem_print"),
]
for pattern in urlpatterns:
    if "<int:number>" in str(pattern.pattern):
        pattern.callback = follows_merge(pattern.callback)
