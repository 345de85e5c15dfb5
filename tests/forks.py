"""Programs that begin as forks of a process that has imported everything already, which is most of a start."""

import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess

from novaops.sandbox.child import PR_SET_PDEATHSIG, Child

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["tests.preloaded"])


@dataclass
class Fork:
    """A forked process with as much of subprocess.Popen as Child and the tests use."""

    process: ForkServerProcess

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired(self.process.name, timeout or 0)
        return self.process.exitcode

    def send_signal(self, which: int) -> None:
        os.kill(self.pid, which)


class ForkedChild(Child):
    """A child whose command is `python -m module arguments`, started as a fork."""

    def hold(self, *, still: bool) -> None:
        """Let it stand still or go on: a simulated world costs time also where no test looks at it."""
        if self.process and self.alive:
            self.process.send_signal(signal.SIGSTOP if still else signal.SIGCONT)

    def stop(self, timeout_s: float = 10) -> None:
        """As any child; one that stands still would not hear it."""
        self.hold(still=False)
        super().stop(timeout_s)

    def start(self) -> None:
        python, option, module, *arguments = self.argv
        assert (python, option) == (sys.executable, "-m"), self.argv
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._asked = False
        environment = dict(os.environ if self.environment is None else self.environment)
        begin = (module, arguments, str(self.log), environment, str(self.cwd or "."))
        self.log.touch()
        # A daemon: nobody waits for it at the end of the tests.
        process = forks.Process(target=_run, args=begin, name=self.name, daemon=True)
        process.start()
        self.process = Fork(process)  # type: ignore[assignment]


def _run(module: str, arguments: list[str], log: str, environment: dict[str, str], directory: str) -> None:
    os.setsid()
    # The parent is the server of forks, which ends with the process of the tests, even by -9.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    with open(log, "ab") as output:  # noqa: PTH123 - the descriptor is all that is wanted
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    # Imported where the forks begin; here it would load everything into the process of the tests.
    from tests.preloaded import read_settings_anew

    read_settings_anew()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
