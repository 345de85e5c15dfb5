"""Many questions to the outside at once, each in its own thread and for so long only: a dead source stalls nobody."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from novaops.cloud.errors import OutsideError

logger = logging.getLogger(__name__)

T = TypeVar("T")
BROKEN = "the probe itself broke"

_lock = threading.Lock()
_unanswered: set[str] = set()


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a question brought: a value, or why not as a sentence that is safe to show."""

    value: T | None = None
    failed: str = ""


def ask_all(questions: Mapping[str, Callable[[], T]], limit_s: float) -> dict[str, Answer[T]]:
    """Ask every question; those not answered after `limit_s` have failed.

    A question that still waits from an earlier round is not asked again, so that threads never pile up.
    """
    asked = {name: _ask(name, question) for name, question in questions.items()}
    wait(asked.values(), timeout=limit_s)
    late: Answer[T] = Answer(failed=f"did not answer within {limit_s:g} s")
    return {name: future.result() if future.done() else late for name, future in asked.items()}


def _ask(name: str, question: Callable[[], T]) -> "Future[Answer[T]]":
    future: Future[Answer[T]] = Future()
    with _lock:
        if name in _unanswered:
            future.set_result(Answer(failed="has not answered an earlier question yet"))
            return future
        _unanswered.add(name)
    # A daemon, so that a source that hangs cannot keep the process from ending.
    threading.Thread(target=_wait_for, args=(name, question, future), name=f"ask {name}", daemon=True).start()
    return future


def _wait_for(name: str, question: Callable[[], T], future: "Future[Answer[T]]") -> None:
    try:
        answer = Answer(value=question())
    except OutsideError as failure:
        answer = Answer(failed=str(failure))
    except Exception:
        logger.exception("Asking %s broke", name)
        answer = Answer(failed=BROKEN)
    with _lock:
        _unanswered.discard(name)
    future.set_result(answer)
