"""Where everything of a sandbox is reached: its ports, and the environment variables that name its addresses."""

import os
import random
import socket
import urllib.request
from http.client import HTTPException
from pathlib import Path

HOST = "127.0.0.1"
REGION = "eu-west-1"
# One HTTP server has everything of the simulated outside: AWS at its root, the rest under these prefixes.
CONTROL_PREFIX = "/_sandbox"
RPC_PREFIX = "/rpc/primary"
RPC_BACKUP_PREFIX = "/rpc/backup"
SINKS_PREFIX = "/sinks"
CERTIFICATES_PREFIX = "/certificates"
ACCOUNT = "123456789012"
# The topic and the queue that CloudWatch's alarms go through.
ALARMS = "nova-alarms"
# Known to everybody, as everything of a sandbox: what signs webhooks to it.
HOOK_SECRET = "sandbox-hooks-only-2026"  # noqa: S105


def is_free(port: int) -> bool:
    """Whether a server could listen on that loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(first: int = 20000, last: int = 29999) -> int:
    """A free loopback port, outside of the range from which the system gives ports to clients.

    Until this process ends no other call, in whatever process, returns it; a server may listen on it all the same.
    """
    # Not from the seeded generator: two processes with the same seed must not want the same port.
    chance = random.SystemRandom()
    ports = iter(lambda: chance.randint(first, last), None)
    return next(port for port in ports if _reserve(port))


def _reserve(port: int) -> bool:
    """Hold the port by a socket that does not listen. Only once bound it tolerates a server beside it."""
    held = socket.socket()
    try:
        held.bind((HOST, port))
    except OSError:
        held.close()
        return False
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Left open for as long as the process lives.
    held.detach()
    return True


def responds(url: str) -> bool:
    """Whether a GET of that loopback URL is answered with success."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status < 300)
    except (OSError, HTTPException):
        return False


def inherited() -> dict[str, str]:
    """The environment of this process without what could lead a child to the real AWS or through a proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), HOST, "localhost"]))
    return {**kept, "NO_PROXY": direct, "no_proxy": direct}


def outside(port: int) -> dict[str, str]:
    """The addresses of the simulated outside whose HTTP server listens on `port`."""
    base = f"http://{HOST}:{port}"
    return {
        "NOVAOPS_SANDBOX_URL": base + CONTROL_PREFIX,
        "AWS_ENDPOINT_URL": base,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NOVA_RPC_URL": base + RPC_PREFIX,
        "NOVA_RPC_BACKUP_URL": base + RPC_BACKUP_PREFIX,
        "NOVA_STATUS_PAGE_URL": base + SINKS_PREFIX + "/status",
        "NOVA_ALARM_QUEUE_URL": f"{base}/{ACCOUNT}/{ALARMS}",
        "NOVAOPS_SNS_CERTIFICATES": base + CERTIFICATES_PREFIX,
        "PAGERDUTY_WEBHOOK_SECRETS": HOOK_SECRET,
        "SYNTHETICS_SECRETS": HOOK_SECRET,
        "SLACK_API_URL": base + SINKS_PREFIX + "/slack/api/",
        "PAGERDUTY_API_URL": base + SINKS_PREFIX + "/pagerduty",
        "STATUSPAGE_API_URL": base + SINKS_PREFIX + "/statuspage/v1",
        "NOVA_SLACK_TOKEN": "xoxb-sandbox",
        "NOVA_SLACK_SIGNING_SECRET": "sandbox-signing-secret",
        "NOVA_STATUS_PAGE_TOKEN": "sandbox",
        "NOVA_PAGERDUTY_TOKEN": "sandbox",
    }


def own(root: Path, *, database_url: str, redis_url: str, secret_key: str, url: str) -> dict[str, str]:
    """The settings of NovaOps itself in a sandbox. `root` is the directory of this project."""
    return {
        "NOVAOPS_SECRET_KEY": secret_key,
        "NOVAOPS_HOSTS": f"{HOST},localhost",
        "NOVAOPS_NOVA_TOML": str(root / "nova.toml"),
        "NOVAOPS_URL": url,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }
