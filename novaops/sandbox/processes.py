"""The real processes behind simulated tasks: each running event-processor task is one child process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import novaops
from novaops.sandbox.ailments import ailments
from novaops.sandbox.aws import ecs, ecs_scheduler
from novaops.sandbox.aws.ecs_model import Task, store
from novaops.sandbox.aws.wire import REGION
from novaops.sandbox.child import ends_with_parent
from novaops.sandbox.journal import journal
from novaops.sandbox.world import world

MODULE = "novaops.sandbox.processor"
ROOT = Path(novaops.__file__).parents[1]
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
STOP_WITHIN_S = 2.0
# What the processor takes as the moment in which it hangs; told again and again, as it may not listen yet.
HANG = signal.SIGUSR1


class Processes:
    """The children, kept in step with the tasks. Only the main thread starts and ends them."""

    def __init__(self) -> None:
        # There is a database to write to, and somebody wants the real processes rather than the model of them.
        self.possible, self.wanted = False, True
        self.endpoint = ""
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._hung: set[str] = set()
        self._forgotten = False

    @property
    def enabled(self) -> bool:
        """Whether tasks have processes; without them the event processor is a model."""
        return self.possible and self.wanted

    def keep_in_step(self) -> None:
        """Start what should run, stop what should not, hang what hangs, and tell ECS of what ended by itself."""
        if self._forgotten:
            self._forgotten = False
            self.stop()
        if not self.enabled:
            return
        with world.lock:
            wanted = {task.id: task for task in store.tasks() if _has_process(task)}
            self._report_ended(wanted)
            hung = set(ailments.hung)
        for task_id in [known for known in self._children if known not in wanted]:
            self._end(task_id)
        for task in wanted.values():
            if task.id not in self._children and task.last_status == "RUNNING":
                self._start(task)
        # What hung and should no longer is replaced: nothing brings it back.
        for task_id in self._children.keys() & (self._hung - hung):
            self._end(task_id)
        for task_id in self._children.keys() & hung:
            self._children[task_id].send_signal(HANG)
            self._hung.add(task_id)

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
        self._children[task.id] = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            cwd=ROOT,
            env=_environment(task, container["environment"], self.endpoint),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=partial(_before_program, ends_with_parent(signal.SIGKILL)),
        )

    def _end(self, task_id: str) -> None:
        child = self._children.pop(task_id)
        child.terminate()
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


def _environment(task: Task, container: list[dict[str, str]], endpoint: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    aws = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    own = {variable["name"]: variable["value"] for variable in container}
    return {**inherited, "PYTHONPATH": str(ROOT), "NOVA_TASK_ID": task.id, **aws, **own}


def _before_program(bind_to_parent: Callable[[], None]) -> None:
    """In the child: end with this process, and survive being told to hang before it listens."""
    bind_to_parent()
    signal.signal(HANG, signal.SIG_IGN)


processes = Processes()
