"""The audit page: the chain, newest first, with its filters in the URL."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from novaops.access.decorators import requires
from novaops.access.policy import Verb
from novaops.audit import chain
from novaops.audit.models import Entry

ENTRIES_A_PAGE = 50
FILTERS = ("actor", "verb", "environment", "run", "incident")
NUMBERS = frozenset({"run", "incident"})


@require_GET
@requires(Verb.VIEW)
def entries(request: HttpRequest) -> HttpResponse:
    """Entries with the head of the chain; a filter that is no number where one is needed finds nothing."""
    wanted = {name: request.GET[name].strip() for name in FILTERS if request.GET.get(name, "").strip()}
    invalid = [name for name in NUMBERS & wanted.keys() if not (wanted[name].isdecimal() and len(wanted[name]) < 10)]
    found = Entry.objects.none() if invalid else Entry.objects.filter(**wanted)
    page = Paginator(found, ENTRIES_A_PAGE).get_page(request.GET.get("page"))
    seq, head_hash = chain.head()
    context = {"page_obj": page, "filters": wanted, "head_seq": seq, "head_hash": head_hash, "invalid": invalid}
    return render(request, "audit/entries.html", context)
