"""The export: every entry, in a form that a spreadsheet only shows."""

import csv
import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from novaops.audit import chain
from novaops.audit.export import FORMULA, _harmless
from novaops.audit.models import Entry

ClientOf = Callable[[User], Client]
HOSTILE = ["=1+1", "@SUM(A1)", "-2+3", "+4", "\t=1", " =1", 'a "quoted", thing', "line\nbreak"]


def written(*reasons: str) -> None:
    with transaction.atomic():
        for reason in reasons:
            chain.record("run.requested", by=None, subject="restart-api on nova-api", reason=reason)


@pytest.mark.django_db
def test_the_csv_has_every_entry_and_no_formula(client_of: ClientOf, viewer: User) -> None:
    written(*HOSTILE)
    answer = client_of(viewer).post("/audit/export.csv")
    rows = list(csv.DictReader(answer.getvalue().decode().splitlines(keepends=True)))
    assert [row["seq"] for row in rows] == [str(number) for number in range(1, len(HOSTILE) + 2)]
    assert not any(cell.lstrip(" ").startswith(FORMULA) for row in rows for cell in row.values())
    assert rows[6]["reason"] == 'a "quoted", thing'
    assert answer["Content-Disposition"] == 'attachment; filename="novaops-audit.csv"'


@pytest.mark.django_db
def test_the_json_lines_are_what_was_hashed_and_the_export_is_an_entry(client_of: ClientOf, viewer: User) -> None:
    written("first", "second")
    answer = client_of(viewer).post("/audit/export.jsonl", {"actor": "viewer"})
    lines = [json.loads(line) for line in answer.getvalue().decode().splitlines()]
    assert [(line["verb"], line["actor"]) for line in lines] == [("audit.exported", "viewer")]
    assert lines[0]["hash"] == Entry.objects.get(verb="audit.exported").hash


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["run=abc", "run=99999999999999999999", "page=zzz", "verb=%FF"])
def test_a_hostile_filter_finds_nothing_and_breaks_nothing(client_of: ClientOf, viewer: User, query: str) -> None:
    assert client_of(viewer).get(f"/audit/?{query}").status_code == 200


@pytest.mark.django_db
def test_getting_the_export_is_refused(client_of: ClientOf, viewer: User) -> None:
    assert client_of(viewer).get("/audit/export.csv").status_code == 405


@pytest.mark.django_db
def test_a_cut_off_end_is_noticed_by_the_published_head() -> None:
    written("first", "second")
    seq, digest = chain.head()
    call_command("audit_verify", anchor=f"{seq}:{digest}")
    with pytest.raises(CommandError, match="was cut or rewritten"):
        call_command("audit_verify", anchor=f"{seq + 1}:{digest}")
    with pytest.raises(CommandError, match="use SEQ:HASH"):
        call_command("audit_verify", anchor="nonsense")


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert not _harmless(text).lstrip(" ").startswith(FORMULA)
