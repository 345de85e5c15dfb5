"""The vocabulary is complete: every state, status and mark has its own word and a shape that exists."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from dashboard.status import CHANGES, ICONS, MARKS, RUNS, State
from novaops.runbook.states import RunStatus, StepState

STATIC = Path(settings.BASE_DIR) / "static"
SPRITE = (STATIC / "vendor" / "icons.svg").read_text(encoding="utf-8")
STYLES = "".join(path.read_text(encoding="utf-8") for path in sorted((STATIC / "app").glob("*.css")))
TEMPLATES = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))


def shapes() -> set[str]:
    """The names of the icons that pages may use."""
    return set(re.findall(r'<symbol id="([\w-]+)"', SPRITE))


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_own_word_icon_and_look(state: State) -> None:
    others = [other for other in State if other is not state]
    assert state.word not in {other.word for other in others}
    assert state.icon not in {other.icon for other in others}
    assert state.icon in shapes()
    assert f".pill-{state.value}" in STYLES


@pytest.mark.parametrize("status", RunStatus)
def test_every_status_of_a_run_has_a_look(status: RunStatus) -> None:
    assert status.value in RUNS


@pytest.mark.parametrize("state", [*StepState.values, "passed", "warning"])
def test_every_step_and_precheck_has_a_mark(state: str) -> None:
    assert state in MARKS


def test_it_names_only_icons_that_exist() -> None:
    named = {*ICONS.values(), *CHANGES.values(), *(shape for shape, _ in MARKS.values())}
    assert named <= shapes()


def test_templates_name_only_icons_that_exist() -> None:
    used = {
        (path.name, name)
        for path in TEMPLATES
        for name in re.findall(r'{% icon "([\w-]+)" %}', path.read_text(encoding="utf-8"))
    }
    assert used
    assert [pair for pair in used if pair[1] not in shapes()] == []


def test_every_icon_of_the_sprite_is_only_paths() -> None:
    assert not re.search(r"<(script|foreignObject|image)|\son\w+=|style=|href=", SPRITE)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_needs_what_the_policy_forbids(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\shx-on|\sjs:|\son\w+=|\sstyle=|<style|javascript:|hx-vals=.js", text)
    assert not re.search(r'<script(?![^>]*\s(src=|type="application/json"))', text)
