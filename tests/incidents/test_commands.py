"""What the composer understands."""

import pytest

from incidents.commands import Command, Note, SetRole, SetSeverity, Unknown, parse


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("hello", Note(text="hello")),
        ("/note  hello there", Note(text="hello there")),
        ("  padded  ", Note(text="padded")),
        ("/sev 2", SetSeverity(severity="SEV2", reason="")),
        ("/sev SEV1 data is being lost", SetSeverity(severity="SEV1", reason="data is being lost")),
        ("/role commander @grace", SetRole(role="commander", username="grace")),
        ("see /sev 2", Note(text="see /sev 2")),
    ],
)
def test_it_understands(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "text", ["/sev", "/sev 5", "/sev twelve", "/role", "/role commander", "/note", "/delete all", "/"]
)
def test_it_says_what_it_does_not_understand(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Unknown)
    assert found.sentence
