"""The audit page: the chain, newest first, with its filters in the URL."""

from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb
from novaops.audit import chain
from novaops.audit.export import as_csv, as_json_lines
from novaops.audit.models import Entry

ENTRIES_A_PAGE = 50
FILTERS = ("actor", "verb", "environment", "run", "incident")
NUMBERS = frozenset({"run", "incident"})
CHUNK = 2_000
FORMS = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "jsonl": (as_json_lines, "application/jsonl; charset=utf-8"),
}


@require_GET
@requires(Verb.VIEW)
def entries(request: HttpRequest) -> HttpResponse:
    """Entries with the head of the chain; a filter that is no number where one is needed finds nothing."""
    wanted, invalid = _filters(request.GET)
    found = _found(wanted, invalid)
    page = Paginator(found, ENTRIES_A_PAGE).get_page(request.GET.get("page"))
    seq, head_hash = chain.head()
    exports = [("csv", "CSV"), ("jsonl", "JSON Lines")]
    context = {
        "exports": exports,
        "page_obj": page,
        "filters": wanted,
        "head_seq": seq,
        "head_hash": head_hash,
        "invalid": invalid,
    }
    return render(request, "audit/entries.html", context)


@require_POST
@requires(Verb.VIEW)
def export(request: HttpRequest, form: str) -> StreamingHttpResponse:
    """The filtered entries as a file, oldest first; that it was taken is itself an entry."""
    write, content_type = FORMS[form]
    wanted, invalid = _filters(request.POST)
    with transaction.atomic():
        chain.record("audit.exported", by=user_of(request), subject=form, detail={"filters": wanted})
    found = _found(wanted, invalid).order_by("seq")
    answer = StreamingHttpResponse(write(found.iterator(chunk_size=CHUNK)), content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="novaops-audit.{form}"'
    return answer


def _filters(data: QueryDict) -> tuple[dict[str, str], list[str]]:
    """The filters that are set, and the names of those that are no number where one is needed."""
    given = {name: str(data.get(name, "")).strip() for name in FILTERS}
    wanted = {name: text for name, text in given.items() if text}
    return wanted, [name for name in NUMBERS & wanted.keys() if not _is_number(wanted[name])]


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


def _found(wanted: dict[str, str], invalid: list[str]) -> QuerySet[Entry]:
    return Entry.objects.none() if invalid else Entry.objects.filter(**wanted)
