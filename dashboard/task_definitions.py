"""What differs between two task definitions, in words that give no secret away."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

Fields = Mapping[str, Any]

HIDDEN = "(hidden)"
ABSENT = "not set"
SECRET_NAME = re.compile(
    r"(SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE|SIGNING|SALT|DSN|API_?KEY|ACCESS_?KEY|(^|_)KEY$)"
)
# User information in an address may be a password, a long run of letters and digits a key.
SECRET_VALUE = re.compile(r"(://[^/\s]*@|-----BEGIN |\b[A-Za-z0-9+/_-]{32,}\b)")
# What ECS adds to a described revision, and what is compared by itself.
TOLD = {
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
}
SIZES = ("cpu", "memory")


def looks_secret(name: str, value: str = "") -> bool:
    """Whether a variable is better not shown: by its name, or because its value looks like a password or a key."""
    return bool(SECRET_NAME.search(name.upper()) or SECRET_VALUE.search(value))


def shown(name: str, value: str | None) -> str:
    """The value as it may be shown: of an address its origin, of what looks secret nothing."""
    if value is None:
        return ABSENT
    where = origin(value)
    if not where:
        return HIDDEN if looks_secret(name, value) else value
    return value if value.rstrip("/") == where else f"{where}/..."


def origin(url: str) -> str:
    """Scheme, host and port of an address, empty where it is none: the rest may carry a key."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme and parts.hostname else ""


def variables(container: Fields) -> dict[str, str]:
    """The container's environment variables whose values stand in clear."""
    return {entry["name"]: entry.get("value", "") for entry in container.get("environment", [])}


def secret_names(container: Fields) -> frozenset[str]:
    """The variables that the container takes from Secrets Manager or Parameter Store."""
    return frozenset(entry["name"] for entry in container.get("secrets", []))


def is_mutable(image: str) -> bool:
    """Whether the image's name can mean another image tomorrow without anybody choosing it: no tag, or `latest`."""
    if "@sha256:" in image:
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not colon or tag == "latest"


def differences(before: Fields, after: Fields) -> list[dict[str, str]]:
    """What is different, each `what`, `before`, `after`, container by container."""
    found = [_entry(size, before.get(size), after.get(size)) for size in SIZES if before.get(size) != after.get(size)]
    then, now = _containers(before), _containers(after)
    for name in sorted({*then, *now}):
        if name not in then or name not in now:
            found.append(_entry(f"Container {name}", *("there" if name in each else None for each in (then, now))))
            continue
        found += _container_differences(name, then[name], now[name])
    ignored = {*TOLD, *SIZES, "containerDefinitions", "tags"}
    return found + list(_other(before, after, ignored, ""))


def _containers(fields: Fields) -> dict[str, Fields]:
    return {container["name"]: container for container in fields["containerDefinitions"]}


def _container_differences(name: str, before: Fields, after: Fields) -> Iterator[dict[str, str]]:
    if before.get("image") != after.get("image"):
        yield _entry(f"Image of {name}", before.get("image"), after.get("image"))
    then, now = variables(before), variables(after)
    for variable in sorted({*then, *now}):
        if then.get(variable) != now.get(variable):
            yield _variable_difference(variable, then.get(variable), now.get(variable))
    yield from _other(before, after, {"name", "image", "environment"}, f" of {name}")


def _variable_difference(name: str, before: str | None, after: str | None) -> dict[str, str]:
    then, now = shown(name, before), shown(name, after)
    return {"what": name, "before": then, "after": f"another value, {now}" if then == now else now}


def _other(before: Fields, after: Fields, ignored: set[str], of: str) -> Iterator[dict[str, str]]:
    """The rest by name only: log options and commands, too, may hold what is not to be shown."""
    for key in sorted({*before, *after} - ignored):
        if (before.get(key) or None) != (after.get(key) or None):
            yield {"what": f"{key}{of}", "before": "as it is", "after": "different"}


def _entry(what: str, before: Any, after: Any) -> dict[str, str]:
    return {
        "what": what,
        "before": ABSENT if before is None else str(before),
        "after": ABSENT if after is None else str(after),
    }
