"""Finding incidents by what is written in them, with what every PostgreSQL has: no extension.

Entries are appended without touching a shared row, so that nobody waits for the search. A periodic task folds their
words into one row an incident; what it has not reached yet is read directly.
"""

import re
import unicodedata
from collections import defaultdict
from typing import Any

from django.db import connection, transaction
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from incidents.models import Incident, TimelineEntry, Words

# Scripts that put no spaces between words: there, each letter is a word, so that a part of a sentence is found.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
WORD = re.compile(rf"(?=\w)[{UNSPACED}]|[^\W_{UNSPACED}]+")
# What a word is cut to, what of one entry is read, how many words are asked for, how many a row holds.
LONGEST_WORD = 40
LONGEST_TEXT = 20_000
MOST_WORDS = 10
WORDS_A_ROW = 20_000
ENTRIES_A_TIME = 5_000
# Any constant works: it only has to be the same for everybody who folds.
FOLD_LOCK = 7_340_113


def words_of(text: str) -> list[str]:
    """The words of a text, lower case, each once, in their order; however its letters are composed or how wide."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST_TEXT]).lower()
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in WORD.findall(plain)))


def wordless(text: str) -> bool:
    """Whether something was typed that has no word in it, so that nothing can be searched for."""
    return bool(text.strip()) and not words_of(text)


def matching(found: QuerySet[Incident], text: str) -> QuerySet[Incident]:
    """Those in which every word of the text begins a word of the title, the impact or the timeline."""
    wanted = words_of(text)[:MOST_WORDS]
    if not wanted:
        return found
    # One letter alone begins a word of nearly everything.
    query = " & ".join(f"'{word}':*" if len(word) > 1 else f"'{word}'" for word in wanted)
    # The words hold letters and digits only; the query is a parameter besides.
    hit: Any = RawSQL("lexemes @@ %s::tsquery", [query], output_field=BooleanField())
    folded = Words.objects.filter(hit).values("incident")
    return found.filter(pk__in=folded.union(_not_folded(wanted)))


def _not_folded(wanted: list[str]) -> Any:
    rows = TimelineEntry.objects.filter(folded=False)
    for word in wanted:
        rows = rows.filter(
            Q(text__icontains=word) | Q(incident__title__icontains=word) | Q(incident__impact__icontains=word)
        )
    return rows.values("incident")


@transaction.atomic
def fold() -> int:
    """Fold the words of entries that are new, some at a time; says how many. Two at once: the second does nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    new = TimelineEntry.objects.filter(folded=False).order_by("id")
    rows = list(new.values_list("pk", "incident_id", "text")[:ENTRIES_A_TIME])
    found: dict[int, set[str]] = defaultdict(set)
    for _, incident, text in rows:
        found[incident].update(words_of(text))
    for pk, title, impact in Incident.objects.filter(pk__in=found).values_list("pk", "title", "impact"):
        found[pk].update(words_of(f"{title} {impact}"))
    _add(found)
    TimelineEntry.objects.filter(pk__in=[pk for pk, *_ in rows]).update(folded=True)
    return len(rows)


def add_text(incident: int, text: str) -> None:
    """Make the words of a longer text find the incident, such as those of its published post-mortem."""
    pieces = range(0, len(text), LONGEST_TEXT)
    _add({incident: {word for at in pieces for word in words_of(text[at : at + LONGEST_TEXT])}})


def _add(found: dict[int, set[str]]) -> None:
    """Add the words to the newest row of each incident that has room; make one where there is none."""
    incidents = list(found)
    columns: list[Any] = [incidents, [" ".join(found[incident]) for incident in incidents]]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH said AS (SELECT * FROM unnest(%s::bigint[], %s::text[]) AS said (incident, words)), room AS ("
            " SELECT DISTINCT ON (incident_id) id, incident_id FROM incidents_words"
            " WHERE incident_id = ANY(%s) AND length(lexemes) < %s ORDER BY incident_id, id DESC), added AS ("
            " UPDATE incidents_words SET lexemes = lexemes || array_to_tsvector(string_to_array(said.words, ' '))"
            " FROM said, room WHERE incidents_words.id = room.id AND said.incident = room.incident_id"
            " RETURNING room.incident_id)"
            " INSERT INTO incidents_words (incident_id, lexemes)"
            " SELECT incident, array_to_tsvector(string_to_array(words, ' ')) FROM said"
            " WHERE incident NOT IN (SELECT incident_id FROM added)",
            [*columns, incidents, WORDS_A_ROW],
        )
