"""What a form that was overtaken would change, beside what is there by now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incidents import health
from incidents.models import Incident


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One field where the two are not the same."""

    title: str
    there: str
    typed: str


def differences(incident: Incident, typed: Mapping[str, Any]) -> list[Difference]:
    """The typed fields that are not what the incident has."""
    found = [
        Difference(title=title, there=_text(getattr(incident, name)), typed=_text(typed[name]))
        for name, title in (
            ("title", "Title"),
            ("severity", "Severity"),
            ("services", "Affected"),
            ("impact", "Impact"),
        )
        if name in typed
    ]
    return [one for one in found if one.there != one.typed]


def _text(value: Any) -> str:
    return ", ".join(health.titles(value)) if isinstance(value, list) else str(value).strip()
