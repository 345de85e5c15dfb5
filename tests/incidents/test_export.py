"""A post-mortem is written whole, into its folder, and never over somebody else's file."""

import resource
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import islice
from pathlib import Path

import pytest

from incidents.postmortem.export import OutsideFolder, directory, write
from incidents.postmortem.slug import names


def ours_where(word: str):  # type: ignore[no-untyped-def]
    return lambda name, text: word in text


def high_cpu():  # type: ignore[no-untyped-def]
    return names(date(2026, 11, 23), "High CPU")


def test_it_writes_a_readable_file_and_nothing_else(tmp_path: Path) -> None:
    folder = directory(tmp_path, "docs/ops/post-mortems")
    name = write(folder, high_cpu(), "text\n", ours=ours_where("never"))
    assert name == "2026-11-23-high-cpu.md"
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "text\n"
    assert (folder / name).stat().st_mode & 0o777 == 0o644


def test_it_replaces_its_own_file(tmp_path: Path) -> None:
    write(tmp_path, high_cpu(), "mine 1", ours=ours_where("mine"))
    assert write(tmp_path, high_cpu(), "mine 2", ours=ours_where("mine")) == "2026-11-23-high-cpu.md"
    assert (tmp_path / "2026-11-23-high-cpu.md").read_text() == "mine 2"


def test_it_never_overwrites_another_incidents_file(tmp_path: Path) -> None:
    for existing in islice(high_cpu(), 2):
        (tmp_path / existing).write_text("theirs")
    assert write(tmp_path, high_cpu(), "mine", ours=ours_where("mine")) == "2026-11-23-high-cpu-3.md"
    assert (tmp_path / "2026-11-23-high-cpu.md").read_text() == "theirs"


def test_it_follows_no_link_and_replaces_no_directory(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine: looks like ours")
    folder = tmp_path / "folder"
    (folder / "2026-11-23-high-cpu-2.md").mkdir(parents=True)
    (folder / "2026-11-23-high-cpu.md").symlink_to(secret)
    assert write(folder, high_cpu(), "mine", ours=ours_where("mine")) == "2026-11-23-high-cpu-3.md"
    assert secret.read_text() == "mine: looks like ours"


def test_a_full_disk_leaves_nothing_behind_and_the_old_file_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, high_cpu(), "mine 1", ours=ours_where("mine"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(tmp_path, high_cpu(), "mine 2" * 1000, ours=ours_where("mine"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("2026-11-23-high-cpu.md", "mine 1")]


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").write_text("a file")
    with pytest.raises(OSError, match=r"exists|directory"):
        directory(tmp_path, "docs/ops")


def test_two_exports_at_once_take_two_names(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda one: write(tmp_path, high_cpu(), f"of {one}", ours=ours_where("never")), range(8)))
    assert len(set(taken)) == 8
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == [f"of {one}" for one in range(8)]


def test_it_refuses_a_folder_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "docs").symlink_to(tmp_path)
    with pytest.raises(OutsideFolder):
        directory(tmp_path / "root", "docs/ops")
    assert not (tmp_path / "ops").exists()


@pytest.mark.parametrize("name", ["../2026-11-23-x.md", "2026-11-23-a/b.md", ".hidden.md", "2026-11-23-.md"])
def test_it_refuses_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutsideFolder):
        write(tmp_path, iter([name]), "text", ours=ours_where("text"))
    assert list(tmp_path.iterdir()) == []
