"""The documents are true of the code: names, links, the diagram and the example action."""

import re
from collections.abc import Callable, Iterator
from inspect import getmembers, isclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User

from novaops import environment
from novaops.runbook.management.commands import run_states
from novaops.runbook.models import Run
from novaops.runbook.registry import actions
from tests.actions.conftest import plan_of, run_through
from tests.servers import Nova

__all__ = ["plan_of", "run_through"]
ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
GENERATED = {"actions.md", "runbook-map.md"}
LONGEST = 130


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def variables() -> set[str]:
    """Every environment variable that the settings read."""
    return set(re.findall(r'\benv_\w+\(\s*"(\w+)"', (ROOT / "novaops" / "settings.py").read_text(encoding="utf-8")))


def keys() -> Iterator[str]:
    """Every key that nova.toml may have."""
    for _, model in getmembers(environment, isclass):
        if issubclass(model, environment.Declared):
            yield from model.model_fields


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as a forge makes them."""
    found = page.read_text(encoding="utf-8")
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(found)}
    return made | set(re.findall(r'id="([^"]+)"', found))


def test_every_environment_variable_is_described() -> None:
    assert len(variables()) > 10
    assert {name for name in variables() if f"| `{name}` |" not in text("configure.md")} == set()


def test_every_key_of_nova_toml_is_described() -> None:
    assert "replication_group_id" in set(keys())
    assert {key for key in keys() if not re.search(rf"`(<rule>\.)?{key}`", text("configure.md"))} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        target = urlsplit(link)
        if target.scheme:
            continue
        there = (page.parent / target.path).resolve() if target.path else page
        assert there.exists(), link
        assert not target.fragment or target.fragment in anchors(there), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in GENERATED], ids=lambda page: page.name)
def test_a_page_is_read_in_one_go(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    pages = [*reached]
    while pages:
        page = pages.pop()
        found = {(page.parent / link).resolve() for link in LINK.findall(page.read_text(encoding="utf-8"))}
        news = {path for path in found if path.suffix == ".md" and path.exists()} - reached
        reached |= news
        pages += news
    assert set(PAGES) - reached == set()


def test_the_diagram_is_the_table_of_transitions() -> None:
    assert [block.strip() for block in blocks("architecture.md", "mermaid")] == [run_states.diagram()]


def test_every_file_that_the_architecture_names_exists() -> None:
    named = re.findall(r"`((?:novaops|dashboard|templates|tests)/[\w./]+)`", text("architecture.md"))
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.django_db
def test_the_example_action_works_as_its_own_test_says(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    aws.reset(factor=100)
    action, test = blocks("extend.md", "python")
    names: dict[str, Any] = {"__name__": "example"}
    before = set(actions)
    try:
        exec(action, names)
        assert set(actions) - before == {"pause-event-processor"}
        exec(test, names)
        names["test_it_stops_every_task_by_one_call"](aws, run_through, responder)
    finally:
        actions.pop("pause-event-processor", None)
