"""Masks what people's data may be in the text of an SQL query: strings, numbers and comments."""

import re

MASK = "?"
# In this order: what begins first wins, and a piece that never ends (PostgreSQL cuts long queries) goes to the end.
PIECES = re.compile(
    r"""
    (?P<identifier>"(?:[^"]|"")*(?:"|\Z))                       # a quoted name stays
    | (?P<comment>--[^\n]*|/\*(?:.*?\*/|.*\Z))
    | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\\?\Z))
    | (?P<string>(?:\b(?:[uU]&|[bBxXnN]))?'(?:[^']|'')*(?:'|\Z))
    | (?P<parameter>\$\d+)                                      # a placeholder holds no data
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>(?:\d[\w.]*|\.\d[\w.]*)(?:(?<=[eE])[+-]\d+)?)
    """,
    re.VERBOSE | re.DOTALL,
)
KEPT = ("identifier", "parameter", "word")


def masked(query: str) -> str:
    """The query with every string and number replaced by `?`, without its comments, in one line."""
    return " ".join(PIECES.sub(_instead, query).split())


def _instead(piece: re.Match[str]) -> str:
    if piece.lastgroup in KEPT:
        return piece[0]
    return " " if piece.lastgroup == "comment" else MASK
