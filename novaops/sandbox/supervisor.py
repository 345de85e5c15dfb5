"""Runs named children until told to stop: restarts what ends by itself, and leaves no process behind."""

import json
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

from novaops.sandbox.child import Child

WATCH_S = 0.2
STOP_WITHIN_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
# A child that ran this long has recovered: its next end is a new trouble.
STEADY_S = 60.0


class Interrupted(BaseException):
    """Ctrl-C, or SIGTERM: everything is to be stopped."""


def say(sentence: str) -> None:
    """Tell the person in front of the terminal."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


@dataclass
class Watched:
    """A child with what its supervisor knows of it."""

    child: Child
    # Whether it uses other children, and so is stopped before them.
    client: bool
    started: float = field(default_factory=time.monotonic)
    pause_s: float = FIRST_PAUSE_S
    again_at: float | None = None


class Supervisor:
    """Starts children in order, watches them, and stops them, clients before servers.

    The file `pids` remembers them, so that the next supervisor ends what one killed with -9 could not.
    """

    def __init__(self, pids: Path) -> None:
        self._pids = pids
        self._watched: list[Watched] = []

    def end_leftovers(self) -> None:
        """End the children of an earlier supervisor that still run."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            for left in json.loads(self._pids.read_text()):
                _end(int(left["pid"]), float(left["created"]))
        self._pids.unlink(missing_ok=True)

    def start(self, child: Child, *, client: bool = False) -> None:
        """Start a child and keep an eye on it; `wait_ready` on the child says when it is ready."""
        child.start()
        self._watched.append(Watched(child, client))
        self._remember()

    def _remember(self) -> None:
        running = []
        for watched in self._watched:
            with suppress(psutil.NoSuchProcess):
                if watched.child.process:
                    process = psutil.Process(watched.child.process.pid)
                    running.append({"name": watched.child.name, "pid": process.pid, "created": process.create_time()})
        self._pids.write_text(json.dumps(running))

    def watch(self) -> NoReturn:
        """Restart what ends, with a growing pause, until interrupted."""
        while True:
            self.look()
            time.sleep(WATCH_S)

    def look(self) -> None:
        """One round of watching."""
        for watched in self._watched:
            self._look_at(watched)

    def _look_at(self, watched: Watched) -> None:
        now, child = time.monotonic(), watched.child
        if child.alive:
            return
        if watched.again_at is None:
            if now - watched.started > STEADY_S:
                watched.pause_s = FIRST_PAUSE_S
            watched.again_at = now + watched.pause_s
            watched.pause_s = min(2 * watched.pause_s, LONGEST_PAUSE_S)
            code = child.process.returncode if child.process else "?"
            say(f"{child.name} ended ({code}), it is started again in {watched.again_at - now:.0f} s. See {child.log}")
        elif now >= watched.again_at:
            child.stop()
            child.start()
            watched.started, watched.again_at = now, None
            self._remember()

    def stop(self) -> None:
        """Stop every child: together what uses the others, then these; what takes over ten seconds is killed."""
        for group in (True, False):
            children = [watched.child for watched in reversed(self._watched) if watched.client is group]
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.stop(STOP_WITHIN_S)
        self._watched.clear()
        self._pids.unlink(missing_ok=True)


def _end(pid: int, created: float) -> None:
    """End a process and its children, if it still is the one that was started then."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if abs(process.create_time() - created) > 1:
            return
        family = [*process.children(recursive=True), process]
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOP_WITHIN_S)
        for each in alive:
            each.kill()


def interruptible() -> None:
    """Let Ctrl-C, SIGTERM and a closed terminal raise Interrupted once; further ones are ignored while we stop."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, interrupt)
