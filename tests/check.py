"""Everything `make check` looks at, each with its time; all of it runs also after a failure."""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MAX_LINES = 400
# Written in two halves, or this file would be found by its own search.
REGISTRY_HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "/simple" + "/", "--index" + "-url http")
# Production's settings: no sandbox, HTTPS, and addresses that need not answer.
PRODUCTION = {
    "NOVAOPS_SECRET_KEY": "check-deploy-only-" + "x7Kq2mVw9Rt4Yb8Nc3Fh6Jd1Ls5Pz0Ga" * 2,
    "NOVAOPS_HOSTS": "ops.example.com",
    "NOVAOPS_URL": "https://ops.example.com",
    "DATABASE_URL": "postgresql://novaops@localhost/novaops",
    "REDIS_URL": "redis://localhost:6379/0",
    "NOVA_RPC_URL": "https://rpc.example.com",
    "NOVA_RPC_BACKUP_URL": "https://rpc-backup.example.com",
    "NOVA_STATUS_PAGE_URL": "https://status.example.com",
    "NOVA_ALARM_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/nova-alarms",
    "SLACK_API_URL": "https://slack.example.com/api/",
    "STATUSPAGE_API_URL": "https://api.status.example.com/v1",
    "PAGERDUTY_API_URL": "https://api.pagerduty.example.com",
}
FROM_A_SHELL = ("NOVAOPS_", "NOVA_", "AWS_", "SLACK_", "PAGERDUTY_", "STATUSPAGE_", "DATABASE_URL", "REDIS_URL")


def production() -> dict[str, str]:
    """The environment of a production process, whatever the shell carries."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FROM_A_SHELL)}
    return {**kept, **PRODUCTION, "DJANGO_SETTINGS_MODULE": "novaops.settings"}


def command(program: str, *arguments: str) -> str:
    """What the command says where it fails, empty where it succeeds."""
    done = subprocess.run(
        [str(BIN / program), *arguments],
        cwd=ROOT,
        env=production(),
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit {done.returncode}"


def tracked(*patterns: str) -> list[Path]:
    """The files of the project that match: in git or about to be, as they are on disk."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def own_modules() -> Iterator[tuple[Path, str]]:
    for path in tracked("*.py"):
        if "migrations" not in path.parts:
            yield path, path.read_text(encoding="utf-8")


def docstrings() -> str:
    """Every module says its purpose."""
    silent = [path for path, text in own_modules() if text.strip() and not ast.get_docstring(ast.parse(text))]
    empty = [path for path, text in own_modules() if not text.strip()]
    return "\n".join(f"{path.relative_to(ROOT)} has no docstring" for path in silent + empty)


def sizes() -> str:
    """No module is longer than the house allows."""
    lengths = [(path, len(text.splitlines())) for path, text in own_modules()]
    return "\n".join(f"{path.relative_to(ROOT)} has {size} lines" for path, size in lengths if size > MAX_LINES)


def registries() -> str:
    """No file names the host of a package registry: whoever builds decides where packages come from."""
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)} names {host}" for host in REGISTRY_HOSTS if host in text]
    return "\n".join(found)


def templates() -> str:
    return command("djlint", "--lint", "--quiet", "templates") if tracked("templates/*.html") else ""


def manage(*arguments: str) -> Callable[[], str]:
    return lambda: command("python", "manage.py", *arguments)


CHECKS: dict[str, Callable[[], str]] = {
    "ruff": lambda: command("ruff", "check", "--quiet", "."),
    "format": lambda: command("ruff", "format", "--check", "--quiet", "."),
    "types": lambda: command("mypy"),
    "imports": lambda: command("lint-imports"),
    "deployment": manage("check", "--deploy", "--fail-level", "WARNING"),
    "migrations": manage("makemigrations", "--check", "--dry-run"),
    "documents": manage("action_docs", "--check"),
    "templates": templates,
    "docstrings": docstrings,
    "sizes": sizes,
    "registries": registries,
}


def main(names: list[str]) -> int:
    """Run the named checks, or all. 1 where one failed."""
    failed = []
    for name in names or CHECKS:
        began = time.monotonic()
        failure = CHECKS[name]()
        sys.stdout.write(f"{'FAILED' if failure else 'ok':6} {name:12} {time.monotonic() - began:5.1f} s\n")
        if failure:
            failed.append(name)
            sys.stdout.write(f"{failure}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(failed)} failed: {', '.join(failed)}\n" if failed else "All checks passed.\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
