"""The generated pages of docs/: the catalogue of actions, and which action does what a command of the runbook does."""

import re
from collections.abc import Iterator
from pathlib import Path

from django import forms
from django.conf import settings

from novaops.environment import SERVICE_KINDS
from novaops.runbook.action import Action
from novaops.runbook.api_views import parameter, summary
from novaops.runbook.registry import actions

DOCS = Path(settings.BASE_DIR) / "docs"
SERVICES = {"api": "API server", "database": "Database", "cache": "Redis", "events": "Event processor"}
STARTS = re.compile(r"^\s*(aws |sudo systemctl |SELECT |curl )")
INLINE = re.compile(r"\b(redis-cli [\w-]+)")
NOT_YET = "not yet"
COMMAND_LINE = (
    "On the command line: `manage.py act ACTION TARGET --param NAME=VALUE --reason WHY [--dry-run] [--wait]`.",
    "It exits with 0 where the run succeeded, was only planned (`--dry-run`) or only started (without `--wait`),",
    "1 where it failed, was canceled or expired, 2 where it was refused and nothing happened, 3 where the outcome",
    "is unknown, 4 where the wait was broken off while the run goes on.",
)
# What does the same here as a command of the runbook: the words that tell the command, and the key of the action, or
# "probe:" and what every round of collecting looks at by itself.
MAP = (
    ("systemctl restart nova-api", "restart-api-ec2"),
    ("update-service <placeholder-service-name> --force-new-deployment", "restart-api"),
    ("update-service <placeholder-service-name> --desired-count", "scale-api"),
    ("update-service <placeholder-event-processor-service> --force-new-deployment", "replay-events"),
    ("elasticache test-failover", "fail-over-redis"),
    ("rds reboot-db-instance", "reboot-database"),
    ("rds failover-db-cluster", "fail-over-database"),
    ("rds create-db-snapshot", "create-snapshot"),
    ("rds restore-db-instance-from-db-snapshot", "restore-snapshot"),
    ("SELECT pg_stat_activity", "terminate-connections"),
    ("redis-cli --bigkeys", "redis-biggest-keys"),
    ("curl <placeholder-stellar-rpc-url>/health", "probe:the event processor's tile asks the RPC for its health"),
)


def pages() -> dict[Path, str]:
    """Every generated page and its text."""
    return {DOCS / "actions.md": catalogue(), DOCS / "runbook-map.md": runbook_map()}


def runbook_commands(text: str) -> list[str]:
    """The commands of the runbook in its order, each in one line."""
    joined = re.sub(r"\\\n\s*", "", text)
    found = []
    for line in joined.splitlines():
        if STARTS.match(line):
            found.append(" ".join(line.split()))
        found += INLINE.findall(line)
    return found


def same_as(command: str) -> list[str]:
    """What does the same as a command of the runbook."""
    return [key for words, key in MAP if all(word in command.split() for word in words.split())]


def runbook_map() -> str:
    """The table of the runbook's commands and what does the same here."""
    commands = runbook_commands((DOCS / "runbook.txt").read_text(encoding="utf-8"))
    rows = [f"| `{command}` | {' or '.join(_does(key) for key in same_as(command))} |" for command in commands]
    return "\n".join(
        [
            "# The runbook's commands and the actions that do the same",
            "",
            "Made by `manage.py action_docs` from the catalogue; `docs/runbook.txt` is the runbook itself.",
            "",
            "| Command | In NovaOps |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _does(key: str) -> str:
    kind, _, what = key.partition(":")
    if kind == "probe":
        return f"no action: {what}"
    return f"[{actions[key].title}](actions.md#{key}) `{key}`" if key in actions else f"{NOT_YET} (`{key}`)"


def catalogue() -> str:
    """Every action by service: what it does, takes, may, and how it is undone."""
    lines = ["# Actions", "", "Made by `manage.py action_docs` from the declarations in the code.", "", *COMMAND_LINE]
    for kind in SERVICE_KINDS:
        found = [action() for _, action in sorted(actions.items()) if action.service == kind]
        lines += ["", f"## {SERVICES[kind]}", *(line for action in found for line in _entry(action))]
    return "\n".join([*lines, ""])


def _entry(action: Action) -> Iterator[str]:
    yield from ("", f'### {action.title}<a id="{action.key}"></a>', "", summary(action), "")
    yield f"- Key: `{action.key}`; {action.risk.value}"
    yield f"- Runbook: {action.runbook_section}"
    yield f"- Affects: {action.affects}"
    yield f"- Undo: {action.undo}"
    yield f"- Takes about {action.expected_s:.0f} s{_limits(action)}"
    yield from (_parameter(name, field) for name, field in action.form.base_fields.items())
    yield f"- IAM: {', '.join(f'`{one}`' for one in sorted(action.iam_permissions))}"


def _limits(action: Action) -> str:
    cooling = f"; cools down for {action.cool_down_s} s" if action.cool_down_s else ""
    return cooling + (f"; at most {action.most_in_24_h} times in 24 hours" if action.most_in_24_h else "")


def _parameter(name: str, field: forms.Field) -> str:
    told = parameter(name, field)
    bounds = [f"from {told['minimum']}"] if told["minimum"] is not None else []
    bounds += [f"to {told['maximum']}"] if told["maximum"] is not None else []
    choices = [f"one of {', '.join(told['choices'])}"] if told["choices"] else []
    kind = ", ".join([told["type"], *bounds, *choices, "required" if told["required"] else "optional"])
    return f"- Parameter `{name}` ({kind}): {told['help']}".removesuffix(": ")
