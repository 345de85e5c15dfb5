"""The parts of a post-mortem: generated blocks, human sections and free text between them.

Markers are HTML comments on lines of their own, which no renderer shows. A generated block carries the digest of its
own body, so that a block that a person edited is known without any other record, and is never replaced.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256


class Kind(StrEnum):
    FRONT = "front"
    GENERATED = "generated"
    HUMAN = "human"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part as it stands in the document: `raw` is its exact text, markers included."""

    kind: Kind
    raw: str
    key: str = ""
    edited: bool = False


# How a line begins that only the machine writes.
MARKER = "<!-- nova:"
FRONT = re.compile(r"\A---\n(?:# generated (?P<digest>[0-9a-f]{8})\n)?(?P<body>.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
BLOCK = re.compile(
    r"^<!-- nova:(?P<kind>generated|human) (?P<key>[a-z-]+)(?: (?P<digest>[0-9a-f]{8}))? -->\n"
    r"(?P<body>(?:(?!<!-- nova:).*\n)*?)"
    r"<!-- nova:end (?P=key) -->[ \t]*(?:\n|\Z)",
    re.MULTILINE,
)


def digest(body: str) -> str:
    return sha256(body.strip().encode()).hexdigest()[:8]


def front(body: str) -> Part:
    """YAML front matter that knows whether it was edited."""
    return Part(kind=Kind.FRONT, key="front", raw=f"---\n# generated {digest(body)}\n{body.strip()}\n---\n")


def generated(key: str, body: str) -> Part:
    """A block that is written again at each generation until a person edits it."""
    opening = f"<!-- nova:generated {key} {digest(body)} -->"
    return Part(kind=Kind.GENERATED, key=key, raw=f"{opening}\n\n{body.strip()}\n\n<!-- nova:end {key} -->\n")


def human(key: str, prompt: str) -> Part:
    """A section that belongs to people; it starts with a prompt."""
    return Part(kind=Kind.HUMAN, key=key, raw=f"<!-- nova:human {key} -->\n\n> {prompt}\n\n<!-- nova:end {key} -->\n")


def parse(text: str) -> list[Part]:
    """The document's parts. Joined again they are the same text; a block with a broken marker is free text."""
    parts: list[Part] = []
    position = 0
    if match := FRONT.match(text):
        edited = match["digest"] != digest(match["body"])
        parts.append(Part(kind=Kind.FRONT, key="front", raw=match[0], edited=edited))
        position = match.end()
    for match in BLOCK.finditer(text, position):
        if match.start() > position:
            parts.append(Part(kind=Kind.TEXT, raw=text[position : match.start()]))
        edited = match["kind"] == Kind.GENERATED and match["digest"] != digest(match["body"])
        parts.append(Part(kind=Kind(match["kind"]), key=match["key"], raw=match[0], edited=edited))
        position = match.end()
    if position < len(text):
        parts.append(Part(kind=Kind.TEXT, raw=text[position:]))
    return parts


def compose(parts: list[Part]) -> str:
    """The document of these parts, a blank line between two of them."""
    text = ""
    for part in parts:
        text += part.raw if part.kind == Kind.TEXT or not text or text.endswith("\n\n") else _apart(text) + part.raw
    return text


def _apart(text: str) -> str:
    return "\n" if text.endswith("\n") else "\n\n"


def merge(current: str, fresh: list[Part]) -> tuple[str, list[str]]:
    """The current document with its untouched generated parts renewed, and the keys of the edited ones that stayed.

    What a person wrote is never changed: human sections, free text and edited generated blocks stay where they are.
    A part that is missing is added after its predecessor.
    """
    news = {part.key: part for part in fresh}
    parts = [_renewed(part, news) for part in parse(current)]
    kept = [part.key for part in parts if part.edited]
    for before, part in zip([None, *fresh], fresh, strict=False):
        if any(there.key == part.key for there in parts):
            continue
        at = 0 if before is None else 1 + max(i for i, there in enumerate(parts) if there.key == before.key)
        parts.insert(at, part)
    return compose(parts), kept


def _renewed(part: Part, news: dict[str, Part]) -> Part:
    ours = part.kind in (Kind.FRONT, Kind.GENERATED) and not part.edited
    return news.get(part.key, part) if ours else part
