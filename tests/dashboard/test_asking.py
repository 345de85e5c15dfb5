"""Asking: a source that hangs, fails or breaks takes nothing but its own answer."""

import threading
from time import monotonic

from dashboard.asking import BROKEN, Answer, ask_all
from novaops.cloud.errors import OutsideError


def broken() -> int:
    raise KeyError("a secret")


def refused() -> int:
    raise OutsideError("AWS is throttling")


def test_each_answers_for_itself():
    answers = ask_all({"one": lambda: 1, "refused": refused, "broken": broken}, limit_s=5)
    assert answers == {
        "one": Answer(value=1),
        "refused": Answer(failed="AWS is throttling"),
        "broken": Answer(failed=BROKEN),
    }


def test_one_that_hangs_is_waited_for_only_so_long_and_asked_only_once():
    released, asked = threading.Event(), []

    def hanging() -> int:
        asked.append(1)
        released.wait(10)
        return 1

    started = monotonic()
    first = ask_all({"hangs": hanging, "well": lambda: 2}, limit_s=0.2)
    second = ask_all({"hangs": hanging, "well": lambda: 3}, limit_s=0.2)
    assert monotonic() - started < 2
    assert (first["well"].value, second["well"].value) == (2, 3)
    assert first["hangs"].failed == "did not answer within 0.2 s"
    assert second["hangs"].failed == "has not answered an earlier question yet"
    assert len(asked) == 1
    released.set()
    deadline = monotonic() + 5
    while ask_all({"hangs": lambda: 4}, limit_s=1)["hangs"].value != 4:
        assert monotonic() < deadline
