"""What of the simulated Nova runs now, in the words that scenarios, metrics and traffic share."""

import os

from novaops.sandbox.aws import ecs, rds
from novaops.sandbox.aws.ecs_model import Task, store
from novaops.sandbox.aws.rds_model import instances

DATABASE_DOWN = {"creating", "rebooting", "starting", "stopped", "stopping"}


def tasks_of(service: str) -> list[Task]:
    """Every task of Nova's service that ECS still tells of."""
    known = store.services.get((ecs.CLUSTER, service))
    return known.tasks if known else []


def running(service: str) -> list[Task]:
    """The tasks whose containers run, those being stopped included."""
    return [task for task in tasks_of(service) if task.last_status == "RUNNING"]


def unstopped(service: str) -> list[Task]:
    """The tasks that have not stopped yet."""
    return [task for task in tasks_of(service) if task.last_status != "STOPPED"]


def variable(task: Task, name: str) -> str | None:
    """A variable of the task's container, None where it is not set."""
    variables = task.task_definition["containerDefinitions"][0].get("environment", [])
    return next((each["value"] for each in variables if each["name"] == name), None)


def database_is_up() -> bool:
    """Whether Nova's database instance takes connections, by its status."""
    instance = instances.get(rds.NOVA_DB)
    return instance is not None and instance.status not in DATABASE_DOWN


def has_database() -> bool:
    """Whether there is a real database, so that its figures are asked for and not modelled."""
    return bool(os.environ.get("NOVA_DATABASE_URL"))
