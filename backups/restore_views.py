"""The pages of restores: the wizard, the records with the drills' trend, one record, and its certificate."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from backups import drills, pages, restore_pages
from backups.models import Beside, Restore
from novaops import environment as environments
from novaops.access.decorators import requires
from novaops.access.policy import Verb


@require_GET
@requires(Verb.VIEW)
def wizard(request: HttpRequest) -> HttpResponse:
    """What to restore and as what; each form leads to the plan of its action."""
    context = restore_pages.wizard_context(request, pages.environment_of(request))
    return render(request, "backups/restore_new.html", context)


@require_GET
@requires(Verb.VIEW)
def records(request: HttpRequest) -> HttpResponse:
    """Every restore and drill, and what stands beside production."""
    context = restore_pages.records_context(request, pages.environment_of(request))
    return render(request, "backups/restores.html", context)


@require_GET
@requires(Verb.VIEW)
def record(request: HttpRequest, pk: int) -> HttpResponse:
    """What one restore came to."""
    found = _record(pk)
    there = Beside.objects.filter(environment=found.environment, name=found.instance, gone_at=None).first()
    context = {"record": found, "environment": environments.get(found.environment), "there": there}
    return render(request, "backups/restore.html", context)


@require_GET
@requires(Verb.VIEW)
def certificate(_request: HttpRequest, pk: int) -> HttpResponse:
    """What it proved, as Markdown to keep."""
    found = _record(pk)
    if found.state == Restore.State.UNDER_WAY:
        raise Http404("It is still under way: there is nothing to certify yet.")
    answer = HttpResponse(drills.certificate(found), content_type="text/markdown; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{found.instance}.md"'
    return answer


def _record(pk: int) -> Restore:
    return get_object_or_404(Restore.objects.select_related("run", "run__plan", "run__requested_by"), pk=pk)
