"""The generated pages are current, and every command of the runbook has its action."""

import pytest
from django.core.management import CommandError, call_command

from novaops.runbook import documents, iam
from novaops.runbook.registry import actions

COMMANDS = documents.runbook_commands((documents.DOCS / "runbook.txt").read_text(encoding="utf-8"))


def test_the_pages_are_what_the_code_declares() -> None:
    call_command("action_docs", "--check")


def test_a_page_that_drifted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions["restart-api"], "undo", "Nobody knows.")
    with pytest.raises(CommandError, match=r"Not what the code declares: docs/actions\.md"):
        call_command("action_docs", "--check")


def test_it_finds_the_commands_of_the_runbook() -> None:
    assert (len(COMMANDS), sum(command.startswith("aws ") for command in COMMANDS)) == (12, 8)
    assert documents.runbook_commands("  aws a \\\n   --b c\nRun aws once\nsee redis-cli --x now") == [
        "aws a --b c",
        "redis-cli --x",
    ]


def test_the_map_has_each_command_once_and_no_other() -> None:
    found = [documents.same_as(command) for command in COMMANDS]
    assert all(len(keys) == 1 for keys in found)
    assert sorted(key for keys in found for key in keys) == sorted(key for _, key in documents.MAP)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_action_of_the_same_effect(command: str) -> None:
    key = documents.same_as(command)[0]
    if key.startswith("probe:"):
        return
    assert key in actions
    if command.startswith("aws "):
        service, operation = command.split()[1:3]
        name = "".join(word.capitalize() for word in operation.split("-")).replace("Db", "DB")
        assert iam.permission(f"{service}:{name}") in actions[key].iam_permissions
