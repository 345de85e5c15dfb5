"""The filters of getEvents: what may be asked, and which events match (FACTS A4)."""

from dataclasses import dataclass
from typing import Any

MAX_FILTERS = MAX_CONTRACTS = MAX_TOPICS = 5
MAX_SEGMENTS = 4
TYPES = {"", "contract", "system", "system,contract", "contract,system"}
ANY, REST = "*", "**"


class FilterError(Exception):
    """The filters are not allowed; the message is the server's own."""


@dataclass(frozen=True)
class One:
    """One filter: an event matches where its type, its contract and one topic pattern fit."""

    types: str
    contracts: tuple[str, ...]
    topics: tuple[tuple[str, ...], ...]

    def matches(self, event: dict[str, Any]) -> bool:
        right_type = not self.types or event["type"] in self.types.split(",")
        right_contract = not self.contracts or event["contractId"] in self.contracts
        right_topic = not self.topics or any(_fits(pattern, event["topic"]) for pattern in self.topics)
        return right_type and right_contract and right_topic


def _fits(pattern: tuple[str, ...], topic: list[str]) -> bool:
    if pattern and pattern[-1] == REST:
        pattern, topic = pattern[:-1], topic[: len(pattern) - 1]
    return len(pattern) == len(topic) and all(want in (ANY, got) for want, got in zip(pattern, topic, strict=True))


@dataclass(frozen=True)
class Filter:
    """All filters of a request: an event matches where one of them does, or where there is none."""

    each: tuple[One, ...]

    def matches(self, event: dict[str, Any]) -> bool:
        return not self.each or any(one.matches(event) for one in self.each)

    @classmethod
    def parse(cls, asked: Any) -> "Filter":
        """Raises FilterError with the server's sentence."""
        filters = asked or []
        if not isinstance(filters, list):
            raise FilterError("invalid parameters")
        if len(filters) > MAX_FILTERS:
            raise FilterError(f"maximum {MAX_FILTERS} filters per request")
        return cls(tuple(_parse_one(number, each) for number, each in enumerate(filters, start=1)))


def _parse_one(number: int, asked: Any) -> One:
    if not isinstance(asked, dict):
        raise FilterError("invalid parameters")
    types, contracts, topics = asked.get("type") or "", asked.get("contractIds") or [], asked.get("topics") or []
    if types not in TYPES:
        raise FilterError(
            f"filter {number} invalid: filter type invalid: if set, type must be either 'system' or 'contract'"
        )
    if len(contracts) > MAX_CONTRACTS:
        raise FilterError(f"filter {number} invalid: maximum {MAX_CONTRACTS} contract IDs per filter")
    if len(topics) > MAX_TOPICS:
        raise FilterError(f"filter {number} invalid: maximum {MAX_TOPICS} topics per filter")
    for place, topic in enumerate(topics, start=1):
        if len(topic) - (topic[-1:] == [REST]) > MAX_SEGMENTS or not topic:
            sentence = f"topic must have between 1 and {MAX_SEGMENTS} segments"
            raise FilterError(f"filter {number} invalid: topic {place} invalid: {sentence}")
    return One(types, tuple(contracts), tuple(tuple(topic) for topic in topics))
