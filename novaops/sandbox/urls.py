"""The sandbox's page, mounted at /sandbox/ where there is a sandbox."""

from django.urls import path

from novaops.sandbox import views

app_name = "sandbox"
urlpatterns = [
    path("", views.scenarios, name="scenarios"),
    path("scenario", views.play, name="play"),
    path("reset", views.start_over, name="reset"),
]
