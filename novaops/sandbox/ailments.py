"""What is wrong with the simulated Nova now: set by the scenarios, followed by metrics, logs, processes and traffic."""

from dataclasses import dataclass, field

from novaops.sandbox.aws.ecs_model import Task


@dataclass
class Ailments:
    """`runaway`, `hung` and `leaking` are ids of tasks, `faulty` ARNs of task definitions whose release fails requests.

    `leaked` is how many connections the leaking tasks would have lost by now. `full`: the database has no slot left
    for the API server. `bloat` is the share, 0 to 1, that the API's keys without expiry have grown to. `gap` is the
    range of ledgers, first and last, that the event processor skipped; `skips` that it is to skip one.
    """

    runaway: set[str] = field(default_factory=set)
    hung: set[str] = field(default_factory=set)
    leaking: set[str] = field(default_factory=set)
    faulty: set[str] = field(default_factory=set)
    leaked: int = 0
    full: bool = False
    bloat: float = 0.0
    skips: bool = False
    gap: tuple[int, int] | None = None

    def clear(self) -> None:
        """Nothing is wrong."""
        for tasks in (self.runaway, self.hung, self.leaking, self.faulty):
            tasks.clear()
        self.leaked, self.full, self.bloat, self.skips, self.gap = 0, False, 0.0, False, None

    def fails(self, task: Task) -> bool:
        """Whether the task runs a release that fails some requests."""
        return task.task_definition["taskDefinitionArn"] in self.faulty


ailments = Ailments()
