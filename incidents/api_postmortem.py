"""The post-mortem in the JSON API: generated, written by section or whole against a version, reviewed, published."""

from typing import Annotated, Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Path, Query, Router, Status

from incidents import api_asking as asking
from incidents import api_paper_views as show
from incidents import documents, reviews, sections
from incidents.api_asking import IncidentNumber
from incidents.api_paper_schemas import (
    AskChangesIn,
    AskReviewIn,
    FindingOut,
    PostmortemFilters,
    PostmortemIn,
    PostmortemOut,
    PostmortemsPage,
    PublishIn,
    RegeneratedOut,
    SectionIn,
    SectionKey,
    SectionsOut,
    VersionFilters,
    VersionsPage,
    VersionTextOut,
)
from incidents.api_schemas import Number
from incidents.models import Incident, Postmortem
from incidents.postmortem_views import base_of
from novaops.access.policy import Verb
from novaops.runbook import api
from novaops.runbook.api_document import answers
from novaops.runbook.api_problems import Problem, refuse_unknown_query

router = Router(tags=["Post-mortem"])
DOCUMENT = "/incidents/{number}/postmortem"
WRITTEN = answers({200: PostmortemOut}, *asking.WRITE)
# A document of 200 KB, however its letters are escaped.
MOST_BYTES_OF = dict.fromkeys(["api:postmortem", "api:postmortem-section"], 640 * 1024)


@router.get("/postmortems", response=answers({200: PostmortemsPage}, 422))
def postmortems(request: HttpRequest, filters: Query[PostmortemFilters]) -> Any:
    """The post-mortems of all incidents, without their texts."""
    refuse_unknown_query(request, PostmortemFilters)
    api.refuse_unless(request, Verb.VIEW)
    seen = api.visible(request, Incident.objects.all())
    seen = seen.filter(environment=filters.environment) if filters.environment else seen
    seen = seen.filter(is_drill=filters.drill) if filters.drill is not None else seen
    seen = seen.filter(number__lt=filters.cursor) if filters.cursor else seen
    found = Postmortem.objects.filter(incident__in=seen).select_related("incident").defer("text")
    found = found.filter(state=filters.state) if filters.state else found
    if filters.overdue is not None:
        late = Q(due_at__lt=timezone.now()) & Postmortem.owing()
        found = found.filter(late if filters.overdue else ~late)
    newest = found.order_by("-incident__number")
    return api.page(newest, filters.limit, show.postmortem_brief, lambda row: row.incident.number)


@router.get(DOCUMENT, response=answers({200: PostmortemOut}, 404, 422), url_name="postmortem")
def postmortem(request: HttpRequest, number: IncidentNumber) -> Any:
    """The post-mortem with its text and its review; 404 while it is not generated."""
    return show.postmortem(_document(request, number))


@router.post(DOCUMENT, response=answers({200: PostmortemOut, 201: PostmortemOut}, *asking.WRITE))
def generate(request: HttpRequest, number: IncidentNumber) -> Any:
    """Generate the post-mortem: 201, or 200 with the one that is there."""
    found, by = asking.incident(request, number, Verb.JOIN), asking.owner(request)
    there = Postmortem.objects.filter(incident=found).exists()
    made = asking.decided(request, lambda: documents.ensure(number, by=by, base_url=base_of(request)))
    return Status(200 if there else 201, show.postmortem(made))


@router.put(DOCUMENT, response=WRITTEN)
def save(request: HttpRequest, number: IncidentNumber, body: PostmortemIn) -> Any:
    """Save the whole text as the next version. 409 with code `changed` where another one was saved since `version`."""
    _document(request, number, Verb.JOIN)
    by = asking.owner(request)

    def do() -> Postmortem:
        return documents.save(number, body.markdown, body.version, by=by, typed=False)

    return show.postmortem(asking.decided(request, do))


@router.get(f"{DOCUMENT}.md", include_in_schema=False)
def markdown(request: HttpRequest, number: IncidentNumber) -> HttpResponse:
    """The post-mortem's text alone."""
    return HttpResponse(_document(request, number).text, content_type="text/markdown; charset=utf-8")


@router.get(f"{DOCUMENT}/sections", response=answers({200: SectionsOut}, 404, 422))
def all_sections(request: HttpRequest, number: IncidentNumber) -> Any:
    """Its sections: generated ones, and those that belong to people."""
    return show.all_sections(_document(request, number))


@router.put(
    f"{DOCUMENT}/sections/{{key}}", response=answers({200: SectionsOut}, *asking.WRITE), url_name="postmortem-section"
)
def save_section(
    request: HttpRequest, number: IncidentNumber, key: Annotated[SectionKey, Path()], body: SectionIn
) -> Any:
    """Write one section as the next version; what others wrote in the other ones since `version` stays.

    409 with code `changed` where somebody else wrote in this one.
    """
    found = _document(request, number, Verb.JOIN)
    if not any(section.key == key for section in sections.of(found.text)):
        raise Problem(404, "not-found", f"The document has no section {key!r}.")
    by = asking.owner(request)

    def do() -> Postmortem:
        return sections.write(number, key, body.markdown, body.version, by=by)

    return show.all_sections(asking.decided(request, do))


@router.post(f"{DOCUMENT}/regenerate", response=answers({200: RegeneratedOut}, *asking.WRITE))
def regenerate(request: HttpRequest, number: IncidentNumber) -> Any:
    """Write the generated parts again from today's facts; what people wrote or edited stays."""
    _document(request, number, Verb.JOIN)
    by = asking.owner(request)
    made, kept = asking.decided(request, lambda: documents.regenerate(number, by=by, base_url=base_of(request)))
    return {**show.postmortem(made), "kept": kept}


@router.get(f"{DOCUMENT}/findings", response=answers({200: list[FindingOut]}, 404, 422))
def findings(request: HttpRequest, number: IncidentNumber) -> Any:
    """What the linter says of the text."""
    return [show.finding(found) for found in reviews.findings(_document(request, number))]


@router.get(f"{DOCUMENT}/versions", response=answers({200: VersionsPage}, 404, 422))
def versions(request: HttpRequest, number: IncidentNumber, filters: Query[VersionFilters]) -> Any:
    """Every saved version, newest first."""
    refuse_unknown_query(request, VersionFilters)
    found = _document(request, number).versions.select_related("by").defer("text").order_by("-version")
    found = found.filter(version__lt=filters.cursor) if filters.cursor else found
    return api.page(found, filters.limit, show.version, lambda row: row.version)


@router.get(f"{DOCUMENT}/versions/{{version}}", response=answers({200: VersionTextOut}, 404, 422))
def version(request: HttpRequest, number: IncidentNumber, version: Annotated[Number, Path()]) -> Any:
    """One saved version with its text."""
    found = _document(request, number).versions.select_related("by").filter(version=version).first()
    if found is None:
        raise Problem(404, "not-found", f"There is no version {version}.")
    return {**show.version(found), "markdown": found.text}


@router.post(f"{DOCUMENT}/review", response=WRITTEN)
def ask_review(request: HttpRequest, number: IncidentNumber, body: AskReviewIn, key: api.Key) -> Any:
    """Ask a second person to read this version; 409 with `reasons` where the linter holds it up.

    A token approves nothing: a person does, on the page.
    """
    ref, by = _document(request, number, Verb.JOIN).pk, asking.owner(request)

    def do() -> int:
        return reviews.ask(number, body.version, by=by, anyway=body.anyway).postmortem_id

    asking.once(request, f"review:{ref}", key, body, do)
    return show.postmortem(_of(number))


@router.post(f"{DOCUMENT}/review/changes", response=WRITTEN)
def ask_changes(request: HttpRequest, number: IncidentNumber, body: AskChangesIn, key: api.Key) -> Any:
    """Ask for changes instead of approving the version that waits; not as who wrote it, nor as who asked."""
    ref, by = _document(request, number, Verb.JOIN).pk, asking.owner(request)

    def do() -> int:
        return reviews.decide(number, body.comment, approve=False, by=by).postmortem_id

    asking.once(request, f"changes:{ref}", key, body, do)
    return show.postmortem(_of(number))


@router.post(f"{DOCUMENT}/publish", response=WRITTEN)
def publish(request: HttpRequest, number: IncidentNumber, body: PublishIn, key: api.Key) -> Any:
    """Publish the approved version; 409 with all `reasons` where it cannot be yet."""
    _document(request, number, Verb.JOIN)
    by = asking.owner(request)

    def do() -> int:
        return reviews.publish(number, body.version, body.factor, by=by).pk

    asking.once(request, f"publish:{number}", key, body, do)
    return show.postmortem(_of(number))


@router.post(f"{DOCUMENT}/export", response=WRITTEN)
def export(request: HttpRequest, number: IncidentNumber, key: api.Key) -> Any:
    """Write the current version into the environment's folder; where a repository is configured, a commit follows."""
    _document(request, number, Verb.JOIN)
    by = asking.owner(request)
    asking.once(request, f"export:{number}", key, None, lambda: documents.export(number, by=by).pk)
    return show.postmortem(_of(number))


def _document(request: HttpRequest, number: int, verb: Verb = Verb.VIEW) -> Postmortem:
    asking.incident(request, number, verb)
    return _of(number)


def _of(number: int) -> Postmortem:
    found = Postmortem.objects.filter(incident__number=number).select_related("incident").first()
    if found is None:
        raise Problem(404, "not-found", f"INC-{number} has no post-mortem yet.")
    return found
