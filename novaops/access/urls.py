"""Addresses of the access app."""

from django.urls import path

from novaops.access import views

app_name = "access"
urlpatterns = [path("sudo/", views.sudo, name="sudo")]
