"""The pages of backups."""

from django.urls import path

from backups import views

app_name = "backups"
urlpatterns = [
    path("", views.index, name="list"),
    path("<int:pk>/", views.snapshot, name="snapshot"),
]
