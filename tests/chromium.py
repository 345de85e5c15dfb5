"""Makes sure that there is a Chromium for the browser tests: `python -m tests.chromium`, run by `make test`."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "NOVAOPS_CHROMIUM"
INSTALL = (
    ("apt-get", "update", "-qq"),
    ("apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"),
)


def find() -> str | None:
    """The browser's program: the variable NOVAOPS_CHROMIUM, else the first known name on PATH."""
    return os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)


def become_root() -> list[str] | None:
    """What to put before a command that needs root; None where we cannot be root without being asked."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if allowed.returncode == 0 else None


def install() -> str:
    """Install Debian's Chromium. Returns why it could not be done, empty where it was."""
    as_root = become_root() if shutil.which("apt-get") else None
    if as_root is None:
        return "it can only be installed here by hand"
    sys.stdout.write("Installing Chromium for the browser tests ...\n")
    sys.stdout.flush()
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    for command in INSTALL:
        done = subprocess.run([*as_root, *environment, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-300:]}"
    return ""


def main() -> int:
    """0 where a browser is there (now); 1 with one sentence that says what to do."""
    if find():
        return 0
    failure = install()
    if find():
        return 0
    sys.stderr.write(
        f"The browser tests need Chromium ({failure or 'the package brought no program'}): "
        f"install the package chromium, or set {VARIABLE} to a browser's path, then run make test again.\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
