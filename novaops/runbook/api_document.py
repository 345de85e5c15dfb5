"""The OpenAPI document: every status declared, problems in their own media type, and the names that exist here."""

from typing import Any

from django.http import HttpResponse, JsonResponse
from ninja import NinjaAPI

from novaops import environment as environments
from novaops.runbook.api_problems import MEDIA_TYPE
from novaops.runbook.api_schemas import Problem
from novaops.runbook.registry import actions

PREFIX = "api/v1/"
REF = "#/components/schemas/{model}"
# What any request may meet, whatever it asks.
ALWAYS = (401, 403, 405, 429, 500, 503)
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}}
HEADERS: dict[str, dict[str, Any]] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "405": {"Allow": {"schema": {"type": "string"}}},
    "429": RETRY_AFTER,
    "503": RETRY_AFTER,
}


def answers(good: dict[int, Any], *problems: int) -> dict[int, Any]:
    """The statuses of an operation: the good ones with their schema, and every problem, whose schema is added once."""
    return {**good, **dict.fromkeys((*problems, *ALWAYS))}


def links(what: str) -> dict[str, Any]:
    """The Location header of an operation that makes something."""
    header = {"Location": {"description": f"Where the {what} is.", "schema": {"type": "string"}}}
    return {"x-location": header}


def response(api: NinjaAPI) -> HttpResponse:
    """The document as an answer."""
    return JsonResponse(document(api))


def document(api: NinjaAPI) -> dict[str, Any]:
    """The document of the API as it is here: with this installation's environments and actions."""
    found: dict[str, Any] = dict(api.get_openapi_schema(path_prefix=PREFIX))
    for methods in found["paths"].values():
        for operation in methods.values():
            _declare(operation)
    found["components"]["schemas"].update(_problem())
    known = {"environment": list(environments.environments()), "action": sorted(actions)}
    for name, schema in found["components"]["schemas"].items():
        fields = schema.get("properties", {})
        for field in known.keys() & fields.keys() if name.endswith("In") else ():
            fields[field] = {"type": "string", "enum": known[field]}
    return found


def _problem() -> dict[str, Any]:
    """The schema of a problem and of its parts."""
    whole = Problem.model_json_schema(ref_template=REF)
    return {**whole.pop("$defs"), "Problem": whole}


def _declare(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])
    location = operation.pop("x-location", None)
    for status, answer in operation["responses"].items():
        good = int(status) < 400
        if not good:
            answer["content"] = {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}}
        headers = location if good else HEADERS.get(str(status))
        if headers:
            answer["headers"] = headers


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not: no query can say null."""
    kept = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if len(kept) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf" and value is not None}, **kept[0]}
