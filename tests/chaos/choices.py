"""What the storm does to each run: chosen from the seed alone, so that a run of the storm can be had again."""

import random
from dataclasses import dataclass

# Where in a transition a worker ends by kill -9; the part before the stroke is the step it happens in.
KILLS = (
    "begin/claimed",
    "begin/committed",
    "effect/claimed",
    "effect/looked",
    "effect/intended",
    "effect/signed",
    "effect/sent",
    "effect/answered",
    "effect/committed",
    "wait/claimed",
    "wait/looking",
    "wait/committed",
)
# Where a worker freezes for longer than its lease and then goes on, as after SIGSTOP and SIGCONT.
PAUSES = ("effect/intended", "effect/signed")
# What AWS does with the calls of an effect, one word a call.
ANSWERS: tuple[tuple[str, ...], ...] = (
    ("throttle",),
    ("throttle", "throttle", "throttle"),
    ("error-before",),
    ("error-after",),
    ("drop-before",),
    ("drop-after",),
    ("truncated-after",),
    ("garbage-after",),
    ("hang-before",),
    ("hang-after",),
    ("slow-before",),
    ("slow-after",),
    ("late-drop",),
    ("very-late-drop",),
    ("refused",),
    ("denied",),
    ("throttle", "drop-after"),
    ("error-before", "refused"),
    ("very-late-drop", "refused"),
    ("very-late-drop", "throttle", "denied"),
)
READS = ("throttle", "error-before", "drop-before", "slow-before")
ACTIONS = ("chaos-restart", "chaos-scale", "chaos-snapshot")


@dataclass(frozen=True)
class Trouble:
    """One run of the storm: its action, and what goes wrong during it; empty where nothing does."""

    index: int
    action: str
    count: int
    kill: str = ""
    pause: str = ""
    answers: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    clicks: int = 1


def trouble(seed: int, index: int) -> Trouble:
    """The trouble of the run with that number."""
    dice = random.Random(f"{seed}:{index}")
    kill = dice.choice(KILLS) if dice.random() < 0.4 else ""
    answers = dice.choice(ANSWERS) if dice.random() < 0.45 else ()
    if kill == "effect/sent":
        answers = (dice.choice(("slow-before", "slow-after")),)
    return Trouble(
        index=index,
        action=dice.choice(ACTIONS),
        # Never the number of the run before on the same target: a plan that changes nothing is refused.
        count=2 + index % 40,
        kill=kill,
        pause=dice.choice(PAUSES) if dice.random() < 0.04 else "",
        answers=answers,
        reads=(dice.choice(READS),) * dice.randint(1, 3) if dice.random() < 0.1 else (),
        clicks=dice.choice((2, 5)) if dice.random() < 0.1 else 1,
    )
