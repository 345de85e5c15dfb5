"""A process that ends with the one that started it: started, waited for, stopped, never left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
POLL_S = 0.02
LOG_LIMIT_BYTES = 5_000_000


class StartError(Exception):
    """Something could not be started; the message is a sentence that says what to do."""


@dataclass(frozen=True)
class Account:
    """The operating system's user a child runs as."""

    name: str
    uid: int
    gid: int


def credentials(account: Account | None) -> dict[str, Any]:
    """The arguments with which subprocess runs a program as that account."""
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


def ends_with_parent(how: signal.Signals) -> Callable[[], None]:
    """What a new child runs before its program so that it gets the signal `how` when this process ends, even by -9.

    Linux only; elsewhere children are ended by their supervisor alone. The kernel watches the thread that starts
    the child: start children from the main thread.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def arrange() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, how, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until the condition holds. False where it did not within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, for the sentence that says why a child did not start."""
    with suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    return ""


@dataclass
class Child:
    """One long-running program: what runs, where it logs, when it is ready and how it is asked to stop."""

    name: str
    argv: list[str]
    log: Path
    ready: Callable[[], bool] = lambda: True
    environment: Mapping[str, str] | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # What it gets when this process is gone: nobody is left then to kill it if it takes too long.
    orphan_signal: signal.Signals = signal.SIGKILL
    cwd: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the program in its own process group, its output appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.unlink()
        self._asked = False
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.cwd,
                env=self.environment,
                start_new_session=True,
                # After the change of user, which would make the kernel forget the wish.
                preexec_fn=ends_with_parent(self.orphan_signal),
                **credentials(self.account),
            )

    def wait_ready(self, timeout_s: float = 30) -> None:
        """Wait until it is ready. Raises StartError with the end of its log where it is not in time, or ended."""
        until(lambda: not self.alive or self.ready(), timeout_s)
        if not self.alive or not self.ready():
            what = f"was not ready within {timeout_s:.0f} s" if self.alive else "ended at its start"
            raise StartError(f"{self.name} {what}. The end of {self.log}:\n{last_lines(self.log)}")

    def finish(self, timeout_s: float) -> None:
        """Wait until it has done its work and ended. Raises StartError where it failed, or is not done in time."""
        if not until(lambda: not self.alive, timeout_s):
            raise StartError(f"{self.name} did not end within {timeout_s:.0f} s. See {self.log}")
        if self.process and self.process.returncode:
            raise StartError(f"{self.name} failed. The end of {self.log}:\n{last_lines(self.log)}")

    def ask_to_stop(self) -> None:
        """Send the stop signal, once, without waiting."""
        if self.alive and self.process and not self._asked:
            self._asked = True
            self.process.send_signal(self.stop_signal)

    def stop(self, timeout_s: float = 10) -> None:
        """Ask it to stop, wait, and kill whatever of its process group is left."""
        if self.process is None:
            return
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
