"""The directory `var/` of a demo: what is remembered from one start to the next, and that only one demo uses it."""

import fcntl
import json
import secrets
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from novaops.sandbox import addresses
from novaops.sandbox.child import StartError

PORT_NAMES = ("sandbox", "redis", "nova_redis")


@dataclass
class Place:
    """One `var/` directory."""

    root: Path
    _lock: IO[str] | None = field(default=None, init=False, repr=False)

    def path(self, *parts: str) -> Path:
        return self.root.joinpath(*parts)

    def log(self, name: str) -> Path:
        return self.path("log", f"{name}.log")

    def take(self) -> None:
        """Make the directory and let no second demo use it. Raises StartError where that cannot be."""
        try:
            self.root.mkdir(exist_ok=True)
            # PostgreSQL may run as another account, which must get through; what is secret is closed by itself.
            self.root.chmod(0o711)
            self._lock = self.path("lock").open("a")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as failure:
            self.release()
            raise StartError("A demo is running already: stop it with Ctrl-C, then run make again.") from failure
        except OSError as failure:
            raise StartError(self.unusable(failure)) from failure

    def unusable(self, failure: OSError) -> str:
        """The sentence for a directory that cannot be used."""
        what = f"{failure.filename or self.root} ({failure.strerror})"
        return f"{self.root} cannot be used: {what}. Delete it as the user who owns it, then run make again."

    def release(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def clear(self) -> None:
        """Delete everything but the lock."""
        for path in self.root.iterdir():
            if path.name == "lock":
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def secret_key(self) -> str:
        """Made once, so that a second demo knows the sessions of the first."""
        path = self.path("secret_key")
        with suppress(OSError):
            return path.read_text()
        self._write_secret(path, secrets.token_urlsafe(48))
        return path.read_text()

    def ports(self) -> dict[str, int]:
        """The ports of the last time, or other free ones where they are taken now."""
        path = self.path("ports.json")
        remembered: dict[str, int] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            remembered = {name: int(port) for name, port in json.loads(path.read_text()).items()}
        chosen: dict[str, int] = {}
        for name in PORT_NAMES:
            port = remembered.get(name, 0)
            while not 0 < port < 65536 or port in chosen.values() or not addresses.is_free(port):
                port = addresses.free_port()
            chosen[name] = port
        path.write_text(json.dumps(chosen))
        return chosen

    def write_environment(self, variables: Mapping[str, str]) -> None:
        """var/demo.env: what another client needs to look at the same world, in the syntax of the shell."""
        lines = [f"{name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
        self._write_secret(self.path("demo.env"), "\n".join(lines) + "\n")

    def read_environment(self) -> dict[str, str]:
        """The variables of the demo that runs, or ran last. Raises StartError where there is none."""
        try:
            lines = self.path("demo.env").read_text().splitlines()
        except OSError as failure:
            raise StartError("There is no demo to talk to: start one with make demo.") from failure
        return dict(shlex.split(line)[0].split("=", 1) for line in lines if line)

    @staticmethod
    def _write_secret(path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
