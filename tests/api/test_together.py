"""Programs that write at the same moment: nothing is lost and nothing is done twice."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.contrib.auth.models import User
from django.db import connection

from incidents import documents
from incidents.models import FollowUp, Incident, TimelineEntry
from tests.api.conftest import Program
from tests.api.test_incidents import json
from tests.incidents.conftest import declare, make_alert, place

__all__ = ["declare", "make_alert", "place"]
Made = TypeVar("Made")
AT_ONCE = 6


def at_once(ask: Callable[[int], Made]) -> list[Made]:
    """What each of several programs is answered with."""
    gate = threading.Barrier(AT_ONCE)

    def one(at: int) -> Made:
        gate.wait()
        try:
            return ask(at)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_and_nothing_is_done_twice(
    declare: Callable[..., Incident], program_of: Callable[..., Program], commander: User
) -> None:
    declare(commander)
    documents.ensure(1, by=commander, base_url="https://ops.example")
    program = program_of(commander)
    path = "incidents/1/postmortem/sections"
    people = [one["key"] for one in json(program.get(path))["items"] if one["kind"] == "human"]
    text = program.text

    def section(at: int) -> int:
        return Program(text).put(f"{path}/{people[at]}", {"version": 1, "markdown": f"By {at}"}).status_code

    assert at_once(section) == [200] * AT_ONCE
    found = {one["key"]: one["markdown"] for one in json(program.get(path))["items"]}
    assert [found[people[at]] for at in range(AT_ONCE)] == [f"By {at}" for at in range(AT_ONCE)]

    impact = at_once(lambda at: Program(text).patch("incidents/1", {"version": 1, "impact": f"By {at}"}).status_code)
    assert sorted(impact) == [200, *[409] * (AT_ONCE - 1)]

    note = {"text": "Once"}
    notes = at_once(lambda _: Program(text).post("incidents/1/notes", note, Idempotency_Key="a").status_code)
    assert sorted(notes) == [*[200] * (AT_ONCE - 1), 201]
    assert TimelineEntry.objects.filter(text="Once").count() == 1

    program.made("incidents/1/follow-ups", {"title": "Scale earlier", "kind": "prevent"})
    work = FollowUp.objects.get().pk
    fields = [{"title": "Scale at 70 %"}, {"kind": "process"}, {"due": "2199-01-15"}, {"owner": "commander"}]
    bodies = [*fields, {"state": "done"}, {}]
    assert at_once(lambda at: Program(text).patch(f"follow-ups/{work}", bodies[at]).status_code) == [200] * AT_ONCE
    left = json(program.get(f"follow-ups/{work}"))
    assert all(left[name] == value for body in bodies for name, value in body.items())
