"""The document of a scripted drill: nearly filled, every figure as recorded, the same wherever it is rendered."""

import re
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from statistics import fmean

import pytest
from django.contrib.auth.models import User
from django.db import connection

from dashboard.models import Alert
from dashboard.samples import Key
from incidents import incident as decide
from incidents.models import Incident
from incidents.postmortem.document import write
from incidents.postmortem.filled import fields, share
from incidents.postmortem.gather import gather
from incidents.postmortem.impact import number, with_unit
from incidents.postmortem.markers import compose, parse
from incidents.postmortem.render import render
from novaops.audit.models import Entry
from novaops.environment import Environment
from novaops.runbook.models import Run
from tests.incidents.drilled import UNITS, drill, elsewhere, lines

Told = dict[Key, list[tuple[datetime, float]]]
pytestmark = pytest.mark.django_db
QUERY = re.compile(r"^(?P<label>[^\n]+):\n\n```sql\n(?P<sql>.*?);\n```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def drilled(
    place: Environment,
    declare: Callable[..., Incident],
    make_run: Callable[..., Run],
    clear: Callable[..., None],
    commander: User,
) -> tuple[Incident, Told]:
    return drill(place, declare, make_run, clear, commander)


def document_of(incident: Incident) -> str:
    return compose(write(gather(incident, base_url="https://ops.example")))


def within(incident: Incident, told: Told, name: str) -> list[float]:
    assert incident.resolved_at
    return [value for at, value in told[Key("api", name)] if incident.started_at <= at <= incident.resolved_at]


def test_at_least_four_fifths_of_its_fields_are_filled(drilled: tuple[Incident, Told]) -> None:
    text = document_of(drilled[0])
    assert len(fields(text)) > 50
    assert share(text) >= 0.8, [field.name for field in fields(text) if not field.filled]


def test_every_number_of_the_impact_is_what_was_recorded(drilled: tuple[Incident, Told]) -> None:
    incident, told = drilled
    text = document_of(incident)
    failed = sum(within(incident, told, "target_5xx")) + sum(within(incident, told, "elb_5xx"))
    requests = sum(within(incident, told, "requests"))
    assert f"| API server: Requests | **{number(requests)}** |" in text
    assert f"| API server: Requests failed | **{number(failed)}** |" in text
    assert f"| API server: Share of requests failed | **{number(100 * failed / requests)} %** |" in text
    assert (
        f"| API server: Slowest response (p95) | **{number(max(within(incident, told, 'response_p95')))} s** |" in text
    )


def test_every_figure_of_every_series_is_what_was_recorded(drilled: tuple[Incident, Told]) -> None:
    incident, told = drilled
    text = document_of(incident)
    for key, unit in UNITS.items():
        values = within(incident, told, key.name)
        shown = [with_unit(one, unit) for one in (min(values), fmean(values), max(values))]
        name = key.name.replace("_", r"\_")
        row = f"| API server | {name} | {shown[0]} | {shown[1]} | **{shown[2]}** |"
        assert row in text, [line for line in text.splitlines() if name in line]
        assert f"{len(values)} samples" in text


def test_the_queries_in_it_compute_its_numbers_again(drilled: tuple[Incident, Told]) -> None:
    text = next(part.raw for part in parse(document_of(drilled[0])) if part.key == "impact")
    queries = {match["label"]: match["sql"] for match in QUERY.finditer(text)}
    assert len(queries) == 5
    with connection.cursor() as cursor:
        for label, sql in queries.items():
            cursor.execute(sql)
            rows = cursor.fetchall()
            if label == "Each series":
                assert len(rows) == len(UNITS)
            else:
                assert f"| {label} | **{number(rows[0][0])}" in text


def test_so_do_those_of_the_signs_and_of_what_each_action_changed(drilled: tuple[Incident, Told]) -> None:
    story = gather(drilled[0], base_url="")
    text = document_of(drilled[0])
    with connection.cursor() as cursor:
        for sign in story.signs:
            cursor.execute(sign.query)
            assert cursor.fetchone() == (sign.at, sign.value, sign.beyond)
            assert sign.query in text
        for effect in story.effects:
            for query, value in zip(effect.queries, (effect.before, effect.after), strict=True):
                cursor.execute(query)
                assert cursor.fetchone() == (value,)
                assert with_unit(value, effect.unit) in text


def test_the_time_in_each_state_is_the_whole_time(drilled: tuple[Incident, Told]) -> None:
    (state,) = gather(drilled[0], base_url="").states
    alert = Alert.objects.get()
    assert drilled[0].resolved_at
    assert alert.cleared_at
    lasted = (drilled[0].resolved_at - drilled[0].started_at).total_seconds()
    assert state.crit_s == (alert.cleared_at - alert.fired_at).total_seconds()
    assert state.crit_s + state.warn_s + state.unknown_s + state.ok_s == pytest.approx(lasted)


def test_a_hash_over_the_audit_entries_closes_it(drilled: tuple[Incident, Told]) -> None:
    text = document_of(drilled[0])
    hashes = Entry.objects.filter(incident=drilled[0].number).order_by("seq").values_list("hash", flat=True)
    assert f"is `{sha256(''.join(hashes).encode()).hexdigest()}`" in text.rpartition("nova:generated end")[2]


def test_it_says_what_could_have_seen_it_earlier_and_what_each_action_changed(drilled: tuple[Incident, Told]) -> None:
    story = gather(drilled[0], base_url="")
    assert [(sign.rule, sign.fired_at is not None) for sign in story.signs] == [
        ("High CPU", True),
        ("Server errors", False),
    ]
    assert {(effect.run, effect.series) for effect in story.effects} == {
        ("Restart the API server", "cpu"),
        ("Scale the API server", "cpu"),
    }
    assert all(effect.before is not None and effect.after is not None for effect in story.effects)
    assert "Server errors was beyond its threshold" in document_of(drilled[0])


def test_its_charts_carry_their_data_and_no_words_inside_the_drawing(drilled: tuple[Incident, Told]) -> None:
    text = document_of(drilled[0])
    drawings = re.findall(r"<svg.*?</svg>", text)
    assert len(drawings) == 1
    assert not re.sub(r"<[^>]*>", "", drawings[0])
    assert "<summary>Data of API server: cpu</summary>" in text
    assert "Restart the API server began" in text


def test_another_renderer_shows_the_file_as_the_preview_does(drilled: tuple[Incident, Told], commander: User) -> None:
    incident = drilled[0]
    for text in ("a | b", "~~no~~ *x*", "<script>alert(1)</script>", "www.evil.example", "$5 & [x](y)", "# no\n---"):
        decide.note(incident.number, text, by=commander)
    text = document_of(incident)
    assert lines(elsewhere(text)) == lines(render(text))
    assert render(text).count("<svg ") == 1
    assert "<script" not in render(text)
