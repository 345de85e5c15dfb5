"""Whether people rehearse in an environment: whoever knows says so here."""

from collections.abc import Callable

from novaops.environment import Environment

# Stands before everything that leaves about a rehearsal.
MARK = "DRILL, nothing is wrong: "
sources: list[Callable[[Environment], bool]] = []


def go_on(environment: Environment) -> bool:
    """Whether a rehearsal goes on in the environment."""
    return any(knows(environment) for knows in sources)
