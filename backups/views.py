"""The pages of backups: how every database stands against the policy, its snapshots, and one of them."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from backups import pages, policy, restore_pages
from backups.models import Snapshot
from novaops import live
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb

# What open pages poll, each by itself, so that a filter being typed in between stays.
PARTS = {"standings": "backups/_standings.html", "snapshots": "backups/_snapshots.html"}


@require_GET
@requires(Verb.VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """The RPO clocks, the policy and its violations, and the snapshots; the filters are in the URL."""
    environment = pages.environment_of(request)
    now = timezone.now()
    rev = pages.revision(environment, now)
    polled = request.headers.get("HX-Request")
    unchanged = live.unchanged(request, rev) if polled else None
    if unchanged:
        return unchanged
    part = request.GET.get("part") if polled else ""
    template = PARTS.get(part or "", "backups/list.html")
    beside = {} if part else {"beside": restore_pages.beside_rows(request, environment)}
    return render(request, template, pages.list_context(request, environment, now) | beside | {"rev": rev})


@require_GET
@requires(Verb.VIEW)
def snapshot(request: HttpRequest, pk: int) -> HttpResponse:
    """One snapshot: where it comes from, how it stands, who uses it, what can be done with it."""
    found = get_object_or_404(Snapshot.objects.select_related("database"), pk=pk)
    environment = pages.declared_of(found)
    context = {
        "snapshot": found,
        "environment": environment,
        "state": policy.snapshot_state(found, environment, timezone.now()),
        "run": pages.run_of(found),
        "claims": pages.claims_on(found, environment),
        "offers": pages.offers_on(user_of(request), found, environment),
    }
    return render(request, "backups/snapshot.html", context)
