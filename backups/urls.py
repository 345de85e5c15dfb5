"""The pages of backups."""

from django.urls import path

from backups import restore_views, views

app_name = "backups"
urlpatterns = [
    path("", views.index, name="list"),
    path("<int:pk>/", views.snapshot, name="snapshot"),
    path("restore/new", restore_views.wizard, name="restore-new"),
    path("restores/", restore_views.records, name="restores"),
    path("restores/<int:pk>/", restore_views.record, name="restore"),
    path("restores/<int:pk>/certificate.md", restore_views.certificate, name="certificate"),
]
