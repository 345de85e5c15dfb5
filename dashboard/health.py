"""What machines ask of NovaOps itself: does the process live, can it work, what did a browser block; the 500 page."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import DatabaseError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from dashboard.models import Reading
from dashboard.tiles import collected_lately
from novaops import environment as declared
from novaops import live

logger = logging.getLogger(__name__)

REPORT_BYTES = 8 * 1024
REPORTS_A_MINUTE = 60
REPORTED = ("document-uri", "effective-directive", "violated-directive", "blocked-uri", "line-number")


@require_GET
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """The process answers. Asks nothing, so that a database that is away does not get it restarted."""
    return HttpResponse("ok\n", content_type="text/plain")


def alive(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer /healthz whatever Host it is asked for: a load balancer asks each target by its own address."""

    def handle(request: HttpRequest) -> HttpResponse:
        return healthz(request) if request.path == "/healthz" else get_response(request)

    return handle


@require_GET
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """503 unless the database and Redis answer; the age of collection is told beside."""
    checks = {"database": _database_answers(), "redis": _redis_answers()}
    ready = all(checks.values())
    collection = _collection() if checks["database"] else {}
    return JsonResponse({"ready": ready, **checks, "collection": collection}, status=200 if ready else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as failure:
        logger.warning("The database does not answer: %s", type(failure).__name__)
        return False
    return True


def _redis_answers() -> bool:
    mark = timezone.now().isoformat()
    cache.set("readyz", mark, timeout=10)
    return bool(cache.get("readyz") == mark)


def _collection() -> dict[str, Any]:
    now = timezone.now()
    newest: dict[str, Any] = {}
    for name, at in Reading.objects.values_list("environment", "at"):
        newest[name] = max(newest.get(name, at), at)
    return {
        name: {
            "alive": collected_lately(environment, newest.get(name), now),
            "age_s": round((now - newest[name]).total_seconds(), 1) if name in newest else None,
        }
        for name, environment in declared.environments().items()
    }


@csrf_exempt
@require_POST
@login_not_required
def csp_report(request: HttpRequest) -> HttpResponse:
    """Log what a browser's content security policy blocked: one bounded line a report, so many a minute."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > REPORT_BYTES:
        return HttpResponse(status=413)
    if live.count_this_minute("csp-report", time.time()) > REPORTS_A_MINUTE:
        return HttpResponse(status=429)
    report = _report(request.body)
    if report is None:
        return HttpResponse(status=400)
    logger.warning("A browser blocked: %s", json.dumps(report))
    return HttpResponse(status=204)


def _report(body: bytes) -> dict[str, str] | None:
    """The known fields of a report, cut; None where it is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    report = told.get("csp-report") if isinstance(told, dict) else None
    if not isinstance(report, dict):
        return None
    return {name: str(report[name])[:200] for name in REPORTED if name in report}


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django's handler500
    """The page of an error of ours; where the database is away, where to turn to instead."""
    try:
        connection.ensure_connection()
    except OperationalError:
        environments = list(declared.environments().values())
        return HttpResponse(render_to_string("503.html", {"environments": environments}), status=503)
    return HttpResponse(render_to_string("500.html"), status=500)
