"""Pages across incidents: post-mortems, follow-ups, learning."""

from django.urls import path

from incidents import learning_views as views

app_name = "learning"
urlpatterns = [
    path("postmortems/", views.postmortems, name="library"),
    path("follow-ups/", views.follow_ups, name="follow_ups"),
    path("follow-ups/export.csv", views.follow_ups_csv, name="follow_ups_csv"),
    path("follow-ups/export.json", views.follow_ups_json, name="follow_ups_json"),
    path("follow-ups/<int:pk>/", views.follow_up, name="follow_up"),
    path("follow-ups/<int:pk>/state", views.follow_up_state, name="follow_up_state"),
    path("learning/", views.lessons, name="lessons"),
    path("learning/export.csv", views.lessons_csv, name="lessons_csv"),
    path("learning/export.json", views.lessons_json, name="lessons_json"),
]
