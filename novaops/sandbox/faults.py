"""Faults on demand: what AWS does on a bad day, and the ledger of the effects that calls really had."""

import random
import threading
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["throttle", "error-before", "error-after", "drop-after", "hang", "denied", "outage"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What is answered instead of the operation: code for JSON services, code for query services, status.
BEFORE: dict[Kind, tuple[str, str, int]] = {
    "throttle": ("ThrottlingException", "Throttling", 400),
    "error-before": ("InternalServerError", "InternalFailure", 500),
    "denied": ("AccessDeniedException", "AccessDenied", 403),
    "outage": ("ServiceUnavailableException", "ServiceUnavailable", 503),
}


class WrongFaultError(ValueError):
    """A fault that cannot be set; the message says what is allowed."""


@dataclass
class Fault:
    """Something that goes wrong with calls of an operation ("*" is every one of a service, or every service).

    `times` counts down and 0 means until cleared; `seconds` are real ones and only `hang` uses them: the effect
    happens at once, the answer comes that much later. `error-after` and `drop-after` have the effect too.
    """

    kind: Kind
    service: str = "*"
    operation: str = "*"
    times: int = 1
    probability: float = 1.0
    seconds: float = 30.0
    left: int = field(init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise WrongFaultError(f"kind {self.kind!r} is unknown: use one of {', '.join(KINDS)}")
        self.left = self.times

    def matches(self, service: str, operation: str) -> bool:
        """Whether a call of the operation (`ecs`, `UpdateService`) is one this fault is for."""
        return self.service in ("*", service) and self.operation in ("*", operation)

    @property
    def prevents(self) -> bool:
        """Whether the operation is not performed at all."""
        return self.kind in BEFORE


class Faults:
    """The faults that are set, first match first."""

    def __init__(self, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._random = random.Random(seed)  # noqa: S311 - reproducible chance, not a secret

    def set(self, faults: list[dict[str, Any]]) -> None:
        """Replace every fault; an empty list clears. Raises WrongFaultError where one is not understood."""
        try:
            made = [Fault(**fault) for fault in faults]
        except TypeError as wrong:
            raise WrongFaultError(str(wrong)) from wrong
        with self._lock:
            self._faults = made

    def add(self, fault: Fault) -> None:
        """Set one more fault."""
        with self._lock:
            self._faults.append(fault)

    def remove(self, fault: Fault) -> None:
        """Clear one fault; nothing happens where it has already run out."""
        with self._lock:
            self._faults = [other for other in self._faults if other is not fault]

    def take(self, service: str, operation: str) -> Fault | None:
        """The fault that befalls this call, counted down; None where it goes well."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(service, operation) and self._random.random() < fault.probability:
                    self._count_down(fault)
                    return fault
        return None

    def _count_down(self, fault: Fault) -> None:
        if fault.times == 0:
            return
        fault.left -= 1
        if fault.left <= 0:
            self._faults.remove(fault)


class Effects:
    """Every changing call that was received, in order, with whether it had its effect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._effects: list[dict[str, Any]] = []

    def record(self, effect: dict[str, Any]) -> None:
        """Append one: at, service, operation, params, user_agent, request_id, outcome ("ok" or the error's code)."""
        with self._lock:
            self._effects.append(effect)

    def all(self) -> list[dict[str, Any]]:
        """A copy, oldest first."""
        with self._lock:
            return list(self._effects)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._effects.clear()


faults = Faults()
effects = Effects()
