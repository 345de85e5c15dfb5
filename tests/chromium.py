"""Makes sure that there is a Chromium for the browser tests: `python -m tests.chromium`, run by `make test`."""

import os
import shutil
import subprocess
import sys

# The first is Chromium without what only a screen needs: the tests take two thirds of the time with it.
PACKAGES = ("chromium-headless-shell", "chromium")
NAMES = (*PACKAGES, "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "NOVAOPS_CHROMIUM"
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get")


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
    """Install the first of Debian's packages that is to be had. Returns why none was, empty where one was."""
    as_root = become_root() if shutil.which("apt-get") else None
    if as_root is None:
        return "it can only be installed here by hand"
    sys.stdout.write("Installing Chromium for the browser tests ...\n")
    sys.stdout.flush()
    failure = _done([*as_root, *APT, "update", "-qq"])
    for package in () if failure else PACKAGES:
        failure = _done([*as_root, *APT, "install", "-qq", "-y", "--no-install-recommends", package])
        if not failure:
            break
    return failure


def _done(command: list[str]) -> str:
    """Run it. Returns what it said where it failed, empty where it did not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-300:]}" if done.returncode else ""


def main() -> int:
    """0 where a browser is there (now); 1 with one sentence that says what to do."""
    if find():
        return 0
    failure = install()
    if find():
        return 0
    sys.stderr.write(
        f"The browser tests need Chromium ({failure or 'the package brought no program'}): "
        f"install the package {' or '.join(PACKAGES)}, or set {VARIABLE} to a browser's path, "
        "then run make test again.\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
