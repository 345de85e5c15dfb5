"""Pages of the outbox."""

from django.urls import path

from novaops.outbox import views

app_name = "outbox"
urlpatterns = [
    path("messages/", views.index, name="messages"),
    path("messages/<int:pk>/check", views.check, name="check"),
    path("messages/<int:pk>/sent", views.sent, name="sent"),
    path("messages/<int:pk>/again", views.again, name="again"),
    path("messages/<int:pk>/withdraw", views.withdraw, name="withdraw"),
]
