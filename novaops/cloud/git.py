"""Commits one file to a branch of a git repository by plumbing: no working tree, no other index, no force.

A path on this machine is committed to directly; an address is fetched to a temporary repository and pushed back.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from novaops.cloud.errors import Ambiguous, NotSent, OutsideError, Refused

TIMEOUT_S = 20
NOTHING = "0" * 40
# No hooks, no signing, no helpers that run programs named by an address.
SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", "-c", "protocol.ext.allow=never")
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "NovaOps"), ("EMAIL", "novaops@localhost"))
}
KEPT = ("PATH", "HOME", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "LANG")
# What git says where nobody was reached: asked later, it may be otherwise.
UNREACHED = re.compile(
    r"could not resolve host|connection (?:refused|reset|timed out)|timed out|network is unreachable|no route to host"
    r"|failed to connect|couldn't connect|early EOF|the remote end hung up|error: 5\d\d",
    re.IGNORECASE,
)
SECRET = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, kw_only=True)
class File:
    """A text for a folder of the repository, under the first name that is free there or `ours` (by the text there)."""

    folder: str
    names: Iterable[str]
    text: str
    ours: Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class Commit:
    """Where the file is. `new` is false where the branch had this very text already."""

    sha: str
    path: str
    branch: str
    new: bool


def commit(repository: str, branch: str, file: File, message: str) -> Commit:
    """Put the file on top of the branch. Raises an OutsideError with a sentence that is safe to show.

    Made twice it commits once: the second time the text is there.
    """
    if _is_path(repository):
        return _Repository(Path(repository)).commit(branch, file, message)
    with tempfile.TemporaryDirectory(prefix="novaops-git-") as place:
        local = _Repository(Path(place))
        local.run("init", "--quiet", "--bare", ".")
        local.fetch(repository, branch)
        made = local.commit(branch, file, message)
        if made.new:
            local.push(repository, branch, made.sha)
        return made


def _is_path(repository: str) -> bool:
    return repository.startswith("/")


class _Repository:
    """A repository on this machine."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.started = ""

    def fetch(self, address: str, branch: str) -> None:
        """Have the newest commit of the branch, or of the default branch that it will begin from.

        Raises NotSent where the other side was not reached.
        """
        try:
            self._fetch(address, branch)
        except Ambiguous as failure:
            raise NotSent(str(failure)) from failure
        except Refused as failure:
            if UNREACHED.search(str(failure)):
                raise NotSent(str(failure)) from failure
            raise

    def _fetch(self, address: str, branch: str) -> None:
        known = dict(
            line.split("\t")[::-1] for line in self.run("ls-remote", address, "HEAD", _ref(branch)).splitlines()
        )
        if _ref(branch) in known:
            self.run("fetch", "--quiet", "--depth=1", "--no-tags", address, f"{_ref(branch)}:{_ref(branch)}")
        elif "HEAD" in known:
            self.run("fetch", "--quiet", "--depth=1", "--no-tags", address, "HEAD")
            self.started = known["HEAD"]

    def commit(self, branch: str, file: File, message: str) -> Commit:
        """Write blob, tree and commit; move the branch only from where it was."""
        self._refuse_checked_out(branch)
        tip = self.ask("rev-parse", "--verify", "--quiet", f"{_ref(branch)}^{{commit}}")
        base = tip or self.started or self.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        path, there = self._place(base, file)
        if there == file.text and tip:
            return Commit(sha=tip, path=path, branch=branch, new=False)
        tree = self._tree(base, path, file.text)
        sha = self.run("commit-tree", tree, *(["-p", base] if base else []), "-F", "-", stdin=message)
        moved = self._call("update-ref", _ref(branch), sha, tip or NOTHING)
        if moved.returncode:
            raise NotSent(f"The branch {branch} moved meanwhile: {_said(moved)}")
        return Commit(sha=sha, path=path, branch=branch, new=True)

    def push(self, address: str, branch: str, sha: str) -> None:
        """Push without force: what somebody else pushed meanwhile is never lost."""
        try:
            self.run("push", "--quiet", address, f"{sha}:{_ref(branch)}")
        except Refused as failure:
            raise NotSent(f"The push was not taken: {failure}") from failure

    def run(self, *arguments: str, stdin: str = "", index: str = "") -> str:
        """What git answers. Raises Refused with its last words, Ambiguous where it does not end."""
        done = self._call(*arguments, stdin=stdin, index=index)
        if done.returncode:
            raise Refused(f"git {arguments[0]}: {_said(done)}")
        return done.stdout.rstrip("\n")

    def ask(self, *arguments: str) -> str:
        """As `run`; empty where git says no."""
        done = self._call(*arguments)
        return done.stdout.rstrip("\n") if done.returncode == 0 else ""

    def _call(self, *arguments: str, stdin: str = "", index: str = "") -> "subprocess.CompletedProcess[str]":
        surroundings = {name: os.environ[name] for name in KEPT if name in os.environ}
        surroundings |= {**IDENTITY, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        if index:
            surroundings["GIT_INDEX_FILE"] = index
        try:
            return subprocess.run(
                ["git", *SAFE, *arguments],
                cwd=self.place,
                env=surroundings,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as failure:
            raise Ambiguous(f"git {arguments[0]} did not end within {TIMEOUT_S} s.") from failure
        except OSError as failure:
            raise Refused(f"git cannot be run in {self.place}: {failure.strerror}") from failure

    def _refuse_checked_out(self, branch: str) -> None:
        """A branch somebody works on would look changed under their hands."""
        if f"branch {_ref(branch)}" in self.run("worktree", "list", "--porcelain").splitlines() and not self._bare():
            raise Refused(f"The branch {branch} is checked out there: name another one, which nobody works on.")

    def _bare(self) -> bool:
        return self.ask("rev-parse", "--is-bare-repository") == "true"

    def _place(self, base: str, file: File) -> tuple[str, str | None]:
        """The path that is free or ours, and the text that is there."""
        for name in file.names:
            path = f"{file.folder}/{name}"
            if not base or not self.ask("rev-parse", "--verify", "--quiet", f"{base}:{path}"):
                return path, None
            there = self._call("cat-file", "blob", f"{base}:{path}")
            if there.returncode == 0 and file.ours(there.stdout):
                return path, there.stdout
        raise Refused("Every name for the file is taken.")

    def _tree(self, base: str, path: str, text: str) -> str:
        with tempfile.TemporaryDirectory(prefix="novaops-index-") as place:
            index = str(Path(place) / "index")
            if base:
                self.run("read-tree", base, index=index)
            blob = self.run("hash-object", "-w", "--stdin", stdin=text)
            self.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", index=index)
            return self.run("write-tree", index=index)


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    """The last line of what git complained of, without a password in an address."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return SECRET.sub("//", lines[-1])[:300] if lines else f"it ended with {done.returncode}"


__all__ = ["Commit", "File", "OutsideError", "commit"]
