"""Where the API lives. Read after every app is ready, as apps above the engine add their routers to it."""

from django.urls import URLPattern, path, re_path

from novaops.runbook.api import api
from novaops.runbook.api_problems import guarded, nowhere


def urls() -> list[URLPattern]:
    """The paths of the API, each guarded, and a problem document for every other one."""
    found = [one for one in api.urls[0] if isinstance(one, URLPattern) and one.name != "api-root"]
    guards = [URLPattern(one.pattern, guarded(one.callback), name=one.name) for one in found]
    return [*guards, path("", nowhere), re_path(r"^.+$", nowhere)]


app_name = "api"
urlpatterns = urls()
