"""CloudWatch Logs filter patterns: plain and quoted terms, ?or, -not, %regex%, and simple JSON conditions."""

import fnmatch
import json
import operator
import re
from collections.abc import Callable
from typing import Any

from novaops.sandbox.aws.wire import AwsError

Matches = Callable[[str], bool]

TERM = re.compile(r'\s*([?-]?)("(?:[^"\\]|\\.)*"|%[^%]*%|[^\s"]+)')
CONDITION = re.compile(r"^\s*\(?\s*\$\.([\w.\[\]-]+)\s*(!=|>=|<=|=|>|<)\s*(.+?)\s*\)?\s*$")
ORDERED: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def compiled(pattern: str | None) -> Matches:
    """The pattern as a function of the message. Raises InvalidParameterException where it is not understood."""
    text = (pattern or "").strip()
    if not text:
        return lambda _: True
    if text.startswith("{") and text.endswith("}"):
        return _json_pattern(text[1:-1])
    return _terms(text)


def _terms(text: str) -> Matches:
    must: list[Matches] = []
    any_of: list[Matches] = []
    must_not: list[Matches] = []
    for match in TERM.finditer(text):
        kind = {"?": any_of, "-": must_not}.get(match[1], must)
        kind.append(_term(match[2]))

    def matches(message: str) -> bool:
        if any(term(message) for term in must_not) or not all(term(message) for term in must):
            return False
        # CloudWatch ignores ?terms beside others.
        return bool(must) or not any_of or any(term(message) for term in any_of)

    return matches


def _term(term: str) -> Matches:
    if term.startswith("%"):
        expression = re.compile(term.strip("%"))
        return lambda message: expression.search(message) is not None
    wanted = re.sub(r"\\(.)", r"\1", term[1:-1]) if term.startswith('"') else term
    return lambda message: wanted in message


def _json_pattern(text: str) -> Matches:
    either = [[_condition(part) for part in group.split("&&")] for group in text.split("||")]

    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return any(all(condition(document) for condition in group) for group in either)

    return matches


def _condition(text: str) -> Callable[[Any], bool]:
    match = CONDITION.match(text)
    if match is None:
        raise AwsError("InvalidParameterException", "Invalid filter pattern")
    path, comparison, wanted = match[1], match[2], match[3].strip()
    if comparison in ORDERED:
        return lambda document: _ordered(_value(document, path), comparison, wanted)
    equal = _equal(wanted)
    if comparison == "=":
        return lambda document: equal(_value(document, path))
    return lambda document: not equal(_value(document, path))


def _value(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _equal(wanted: str) -> Callable[[Any], bool]:
    text = wanted[1:-1] if wanted.startswith('"') else wanted

    def equal(value: Any) -> bool:
        if isinstance(value, bool) or value is None:
            return json.dumps(value) == text.lower()
        if isinstance(value, int | float):
            return _number(text) == float(value)
        return fnmatch.fnmatchcase(str(value), text)

    return equal


def _ordered(value: Any, comparison: str, wanted: str) -> bool:
    number = _number(wanted)
    if number is None or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return ORDERED[comparison](float(value), number)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
