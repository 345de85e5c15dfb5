"""The status page, by the API of Statuspage: opens an incident, updates it, and finds out whether that happened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from novaops.cloud.errors import Ambiguous, NotSent, Refused
from novaops.cloud.http import Answer, never_fenced, request
from novaops.declared import StatusPage

WHO = "The status page"
LONGEST_NAME = 255
LONGEST_BODY = 25_000
THROTTLED = (420, 429)


@dataclass(frozen=True, kw_only=True)
class Update:
    """What the page is to say: `status` and `components` are Statuspage's words, `name` is the incident's."""

    name: str
    status: str
    body: str
    components: dict[str, str] = field(default_factory=dict)
    notify: bool = True

    def as_json(self, uid: str) -> dict[str, Any]:
        """The request's body, with which message of NovaOps it is."""
        parts = {"component_ids": sorted(self.components), "components": self.components} if self.components else {}
        incident = {
            "name": self.name[:LONGEST_NAME],
            "status": self.status,
            "body": self.body[:LONGEST_BODY],
            "deliver_notifications": self.notify,
            "metadata": {"novaops": {"message": uid}},
            **parts,
        }
        return {"incident": incident}


def create(page: StatusPage, page_id: str, update: Update, *, uid: str, fence: Callable[[], bool]) -> str:
    """Open an incident on the page; its id. Raises Refused, NotSent, Ambiguous or Fenced."""
    answer = _ask(page, "POST", _incidents(page_id), update.as_json(uid), fence)
    return str(answer.get("id", ""))


def change(
    page: StatusPage, page_id: str, incident: str, update: Update, *, uid: str, fence: Callable[[], bool]
) -> None:
    """Update an incident, or resolve it by its status. Raises as `create` does."""
    _ask(page, "PATCH", f"{_incidents(page_id)}/{quote(incident, safe='')}", update.as_json(uid), fence)


def find(page: StatusPage, page_id: str, *, uid: str) -> str | None:
    """The id of the incident whose newest message from NovaOps is that one; None where none is."""
    found = _ask(page, "GET", _incidents(page_id), None, never_fenced)
    for incident in found if isinstance(found, list) else []:
        if incident.get("metadata", {}).get("novaops", {}).get("message") == uid:
            return str(incident.get("id", ""))
    return None


def _incidents(page_id: str) -> str:
    return f"/pages/{quote(page_id, safe='')}/incidents"


def _ask(page: StatusPage, method: str, path: str, body: Any, fence: Callable[[], bool]) -> Any:
    if not page.token:
        raise Refused(f"{WHO}: {page.token_env} is not set")
    headers = {"Authorization": f"OAuth {page.token}"}
    answer = request(WHO, method, f"{page.base_url}{path}", headers=headers, body=body, fence=fence)
    if answer.status in THROTTLED:
        raise NotSent(f"{WHO} is throttling", code=str(answer.status), retry_after_s=answer.retry_after_s)
    if 300 <= answer.status < 500:
        raise Refused(f"{WHO} refused it ({answer.status}): {_why(answer)}", code=str(answer.status))
    if not 200 <= answer.status < 300 or answer.body is None:
        raise Ambiguous(f"{WHO} answered {answer.status}", code=str(answer.status))
    return answer.body


def _why(answer: Answer) -> str:
    error = answer.body.get("error", "") if isinstance(answer.body, dict) else ""
    return ("; ".join(map(str, error)) if isinstance(error, list) else str(error))[:200]
