"""The real processes behind simulated tasks: each running event-processor task is one child process."""

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import novaops
from novaops.sandbox.aws import ecs, ecs_scheduler, logs
from novaops.sandbox.aws.ecs_model import Task, store
from novaops.sandbox.aws.wire import REGION
from novaops.sandbox.journal import journal
from novaops.sandbox.scenarios import ailments
from novaops.sandbox.world import world

MODULE = "novaops.sandbox.processor"
ROOT = Path(novaops.__file__).parents[1]
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
STOP_WITHIN_S = 2.0
log = logging.getLogger(__name__)


class Processes:
    """The children, kept in step with the tasks. Only the ticker's thread starts and ends them."""

    def __init__(self) -> None:
        self.enabled = False
        self.endpoint = ""
        self._children: dict[str, subprocess.Popen[str]] = {}
        self._hung: set[str] = set()
        self._forgotten = False

    def keep_in_step(self) -> None:
        """Start what should run, stop what should not, hang what hangs, and tell ECS of what ended by itself."""
        if not self.enabled:
            return
        if self._forgotten:
            self._forgotten = False
            self.stop()
        with world.lock:
            wanted = {task.id: task for task in store.tasks() if _has_process(task)}
            self._report_ended(wanted)
            hung = set(ailments.hung)
        for task_id in [known for known in self._children if known not in wanted]:
            self._end(task_id)
        for task in wanted.values():
            if task.id not in self._children and task.last_status == "RUNNING":
                self._start(task)
        for task_id in self._children.keys() & (hung - self._hung):
            self._children[task_id].send_signal(signal.SIGSTOP)
            self._hung.add(task_id)
        for task_id in self._children.keys() & (self._hung - hung):
            self._children[task_id].send_signal(signal.SIGCONT)
            self._hung.discard(task_id)

    def forget(self) -> None:
        """The world starts over: every child is replaced at the next step, although tasks keep their identifiers."""
        self._forgotten = True

    def stop(self) -> None:
        """End every child."""
        for task_id in list(self._children):
            self._end(task_id)

    def _report_ended(self, wanted: dict[str, Task]) -> None:
        for task_id, child in list(self._children.items()):
            code = child.poll()
            if code is None:
                continue
            del self._children[task_id]
            self._hung.discard(task_id)
            if task_id in wanted:
                report_exit(task_id, code)
                del wanted[task_id]

    def _start(self, task: Task) -> None:
        container = task.task_definition["containerDefinitions"][0]
        # The child ends with this process, even when it is killed: see pdeathsig(2).
        child = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            cwd=ROOT,
            env=_environment(container["environment"], self.endpoint),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=_end_with_parent,
        )
        self._children[task.id] = child
        threading.Thread(target=_keep_log, args=(child, f"processor/processor/{task.id}"), daemon=True).start()

    def _end(self, task_id: str) -> None:
        child = self._children.pop(task_id)
        # A stopped process does not hear SIGTERM.
        child.send_signal(signal.SIGKILL if task_id in self._hung else signal.SIGTERM)
        self._hung.discard(task_id)
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def report_exit(task_id: str, code: int) -> None:
    """Tell ECS that a task's container ended by itself; replayed from the journal like a request."""
    with world.lock, world.at(world.now()):
        world.advance()
        task = next((task for task in store.tasks() if task.id == task_id), None)
        if task is None:
            return
        journal.write("exit", task=task_id, code=code)
        ecs_scheduler.end(task, code if code >= 0 else 128 - code)


def _has_process(task: Task) -> bool:
    return task.service == ecs.PROCESSOR and task.live and task.last_status == "RUNNING"


def _environment(container: list[dict[str, str]], endpoint: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    aws = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    own = {variable["name"]: variable["value"] for variable in container}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **aws, **own}


def _prctl() -> object:
    import ctypes

    return getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None


PRCTL = _prctl()
PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    if callable(PRCTL):
        PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


def _keep_log(child: subprocess.Popen[str], stream: str) -> None:
    for line in child.stdout or ():
        logs.write(logs.PROCESSOR_GROUP, stream, line.rstrip("\n"))


processes = Processes()
