"""A commit on a branch of a real repository: nothing of anybody's work is touched, nothing is forced, errors show."""

import subprocess
from itertools import count
from pathlib import Path

import pytest

from novaops.cloud import git
from novaops.cloud.errors import NotSent, OutsideError, Refused


def run(place: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=place, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    place = tmp_path / "checkout"
    place.mkdir()
    run(place, "init", "-q")
    (place / "README.md").write_text("Nova\n")
    run(place, "add", ".")
    run(place, "commit", "-qm", "Begin")
    (place / "README.md").write_text("somebody works here\n")
    (place / "staged.txt").write_text("staged\n")
    run(place, "add", "staged.txt")
    return place


@pytest.fixture
def remote(checkout: Path, tmp_path: Path) -> str:
    run(tmp_path, "clone", "-q", "--bare", str(checkout), "remote.git")
    return f"file://{tmp_path}/remote.git"


def file(text: str = "mine: 1\n", *, mine: str = "mine") -> git.File:
    names = (f"2026-03-01-outage{'' if n == 1 else f'-{n}'}.md" for n in count(1))
    return git.File(folder="docs/ops/post-mortems", names=names, text=text, ours=lambda there: mine in there)


def test_it_commits_to_a_branch_and_touches_nothing_else(checkout: Path) -> None:
    before = (
        run(checkout, "status", "--porcelain"),
        run(checkout, "rev-parse", "HEAD"),
        run(checkout, "symbolic-ref", "HEAD"),
    )
    made = git.commit(str(checkout), "post-mortems", file(), "Post-mortem of INC-1")
    after = (
        run(checkout, "status", "--porcelain"),
        run(checkout, "rev-parse", "HEAD"),
        run(checkout, "symbolic-ref", "HEAD"),
    )
    assert after == before
    assert (checkout / "README.md").read_text() == "somebody works here\n"
    assert run(checkout, "show", f"post-mortems:{made.path}") == "mine: 1"
    assert run(checkout, "show", "post-mortems:README.md") == "Nova"
    assert run(checkout, "log", "-1", "--format=%s|%an", "post-mortems") == "Post-mortem of INC-1|NovaOps"
    assert run(checkout, "diff-tree", "-r", "--name-only", "--no-commit-id", "post-mortems") == made.path


def test_the_same_text_again_is_no_second_commit(checkout: Path) -> None:
    first = git.commit(str(checkout), "post-mortems", file(), "One")
    again = git.commit(str(checkout), "post-mortems", file(), "Two")
    assert (again.sha, again.new, first.new) == (first.sha, False, True)


def test_its_own_file_is_replaced_and_anothers_never(checkout: Path) -> None:
    first = git.commit(str(checkout), "post-mortems", file(), "One")
    newer = git.commit(str(checkout), "post-mortems", file("mine: 2\n"), "Two")
    other = git.commit(str(checkout), "post-mortems", file("other: 1\n", mine="other"), "Three")
    assert newer.path == first.path
    assert other.path.endswith("-outage-2.md")
    assert run(checkout, "show", f"post-mortems:{first.path}") == "mine: 2"
    assert run(checkout, "rev-list", "--count", "post-mortems") == "4"


def test_a_branch_that_somebody_has_checked_out_is_refused(checkout: Path) -> None:
    with pytest.raises(Refused, match="checked out there"):
        git.commit(str(checkout), "main", file(), "One")


def test_a_remote_gets_it_by_a_plain_push(remote: str, tmp_path: Path) -> None:
    made = git.commit(remote, "post-mortems", file(), "One")
    git.commit(remote, "post-mortems", file("mine: 2\n"), "Two")
    bare = tmp_path / "remote.git"
    assert run(bare, "show", f"post-mortems:{made.path}") == "mine: 2"
    assert run(bare, "log", "--format=%s", "post-mortems").splitlines() == ["Two", "One", "Begin"]


def test_what_others_pushed_meanwhile_is_never_overwritten(
    remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = git.commit(remote, "post-mortems", file(), "One")
    bare = tmp_path / "remote.git"
    theirs = run(bare, "commit-tree", f"{first.sha}^{{tree}}", "-p", first.sha, "-m", "Theirs")
    placed = git._Repository._tree

    def tree(self: git._Repository, base: str, path: str, text: str) -> str:
        run(bare, "update-ref", "refs/heads/post-mortems", theirs)
        return placed(self, base, path, text)

    monkeypatch.setattr(git._Repository, "_tree", tree)
    with pytest.raises(NotSent, match="push was not taken"):
        git.commit(remote, "post-mortems", file("mine: 2\n"), "Two")
    assert run(bare, "rev-parse", "post-mortems") == theirs


@pytest.mark.parametrize(
    "repository", ["/nowhere/at/all", "file:///nowhere/at/all", "https://u:secret@127.0.0.1:1/x.git"]
)
def test_what_cannot_be_reached_says_so_without_its_password(repository: str) -> None:
    with pytest.raises(OutsideError) as failure:
        git.commit(repository, "post-mortems", file(), "One")
    assert str(failure.value)
    assert "secret" not in str(failure.value)


def test_a_remote_that_is_not_reached_is_asked_again_and_one_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotSent):
        git.commit("https://127.0.0.1:1/x.git", "post-mortems", file(), "One")
    with pytest.raises(Refused):
        git.commit("file:///nowhere/at/all", "post-mortems", file(), "One")


def test_a_detached_head_and_a_missing_identity_hinder_nothing(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(checkout, "checkout", "-q", "--detach", "HEAD")
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "")
    made = git.commit(str(checkout), "post-mortems", file(), "One")
    assert run(checkout, "log", "-1", "--format=%cn <%ce>", made.sha) == "NovaOps <novaops@localhost>"
    assert run(checkout, "status", "--porcelain=v1", "--branch").splitlines()[0] == "## HEAD (no branch)"


def test_a_remote_that_takes_no_push_is_asked_again(remote: str, tmp_path: Path) -> None:
    hook = tmp_path / "remote.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho closed for today >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(NotSent, match="push was not taken"):
        git.commit(remote, "post-mortems", file(), "One")


def test_an_empty_repository_gets_its_first_commit(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q", "--bare", "empty.git")
    made = git.commit(f"file://{tmp_path}/empty.git", "post-mortems", file(), "One")
    assert run(tmp_path / "empty.git", "show", f"post-mortems:{made.path}") == "mine: 1"
