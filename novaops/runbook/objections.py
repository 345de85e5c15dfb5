"""Who else may object to a run: asked when it is requested, and again right before its first effect."""

from collections.abc import Callable

from novaops.environment import Environment

# Each is asked with the environment and the number of the run's incident; an empty sentence lets it pass.
sources: list[Callable[[Environment, int | None], str]] = []


def to(environment: Environment, incident: int | None) -> str:
    """Why no run may begin there, for that incident; empty where nobody objects."""
    return next(filter(None, (objects(environment, incident) for objects in sources)), "")
