"""What `var/` remembers from one demo to the next, and the sentences where it cannot."""

import stat
import subprocess
from pathlib import Path

import pytest

from novaops.sandbox import addresses
from novaops.sandbox.child import StartError
from novaops.sandbox.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "var")


def test_only_one_demo_uses_it(place):
    place.take()
    with pytest.raises(StartError, match="A demo is running already"):
        Place(place.root).take()
    place.release()
    again = Place(place.root)
    again.take()
    again.release()


def test_a_file_in_its_place_gets_a_sentence(place):
    place.root.write_text("not a directory")
    with pytest.raises(StartError, match=r"var cannot be used: .* Delete it"):
        place.take()


def test_the_secret_is_made_once_and_closed_to_others(place):
    place.root.mkdir()
    assert place.secret_key() == place.secret_key()
    assert stat.S_IMODE(place.path("secret_key").stat().st_mode) == 0o600


def test_ports_are_remembered(place):
    place.root.mkdir()
    assert place.ports() == place.ports()


def test_a_remembered_port_that_is_taken_is_chosen_anew(place):
    import socket

    place.root.mkdir()
    before = place.ports()
    with socket.create_server((addresses.HOST, before["redis"])):
        after = place.ports()
    assert after["redis"] != before["redis"]
    assert after["sandbox"] == before["sandbox"]


@pytest.mark.parametrize("broken", ["{", "[]", '{"redis": "x"}', '{"redis": -4}', '{"redis": 99999999}'])
def test_a_broken_file_of_ports_is_made_anew(place, broken):
    place.root.mkdir()
    place.path("ports.json").write_text(broken)
    assert len(set(place.ports().values())) == 3


def test_a_shell_reads_the_environment_as_it_was_written(place):
    place.root.mkdir()
    variables = {"NOVAOPS_SECRET_KEY": 'a\'b "c" $d `e`', "AWS_REGION": "eu-west-1"}
    place.write_environment(variables)
    script = f'set -a; . {place.path("demo.env")}; printf "%s|%s" "$NOVAOPS_SECRET_KEY" "$AWS_REGION"'
    assert subprocess.check_output(["sh", "-c", script], text=True).split("|") == list(variables.values())
    assert place.read_environment() == variables
    assert stat.S_IMODE(place.path("demo.env").stat().st_mode) == 0o600


def test_without_a_demo_there_is_nobody_to_talk_to(place):
    with pytest.raises(StartError, match="start one with make demo"):
        place.read_environment()


def test_clearing_keeps_the_lock(place):
    place.take()
    place.secret_key()
    place.path("log").mkdir()
    place.clear()
    assert [path.name for path in place.root.iterdir()] == ["lock"]
    place.release()
