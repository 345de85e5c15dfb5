"""The people of the storm: they ask for runs, click twice, and decide what nobody knows."""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import Error, close_old_connections, connection

from novaops import environment as environments
from novaops.runbook import planning, requests
from novaops.runbook.models import Plan, Run
from novaops.runbook.registry import actions
from novaops.runbook.requests import NotStarted
from novaops.runbook.states import FINISHED, RunStatus
from tests.chaos.actions import TARGETS
from tests.chaos.choices import Trouble
from tests.chaos.place import Place

T = TypeVar("T")
AT_ONCE = 24
LOOK_EVERY_S = 0.1
# The runs of those who come second to a target are numbered from here.
OTHERS = 1_000_000


@dataclass
class Clients:
    """Asks for the runs one after the other, AT_ONCE under way at a time, each target in turn."""

    place: Place
    troubles: deque[Trouble]
    responder: User
    commander: User
    limit_s: float
    under_way: dict[int, str] = field(default_factory=dict)
    others: deque[tuple[Run, str]] = field(default_factory=deque)
    refused_elsewhere: int = 0
    # Runs whose outcome nobody knew, with what the ledger told the commander.
    unknown: dict[int, bool] = field(default_factory=dict)
    checked: set[int] = field(default_factory=set)
    defects: list[str] = field(default_factory=list)
    free: deque[str] = field(default_factory=deque)
    ended: threading.Event = field(default_factory=threading.Event)

    def take(self, troubles: deque[Trouble]) -> None:
        """What to do next, on a quarter as many targets: each has several runs, one after the other."""
        self.troubles = troubles
        self.free = deque(TARGETS[: max(AT_ONCE + 4, min(len(TARGETS), len(troubles) // 4))])
        self.ended.clear()

    def drive(self) -> None:
        """Until every run is over, or the limit is reached; then `ended` is set."""
        until = time.monotonic() + self.limit_s
        try:
            with ThreadPoolExecutor(6) as hands:
                while (self.troubles or self.under_way) and time.monotonic() < until:
                    self._ask_for_more(hands)
                    patiently(self._look)
                    time.sleep(LOOK_EVERY_S)
        except Exception as failure:
            self.defects.append(f"the clients broke: {failure!r}")
            raise
        finally:
            connection.close()
            self.ended.set()

    def _ask_for_more(self, hands: ThreadPoolExecutor) -> None:
        batch = []
        while self.troubles and self.free and len(self.under_way) + len(batch) < AT_ONCE:
            batch.append((self.troubles.popleft(), self.free.popleft()))
        for run, target in hands.map(lambda one: self._request(*one), batch):
            self.under_way[run.pk] = target
        while self.others:
            run, target = self.others.popleft()
            self.under_way[run.pk] = target

    def _request(self, chosen: Trouble, target: str) -> tuple[Run, str]:
        """Plan, let trouble come, and click as often as this person clicks; every click must answer with one run."""
        plan = patiently(lambda: self._plan(chosen, target))
        self.place.expect(target, chosen.answers, chosen.reads)
        with ThreadPoolExecutor(chosen.clicks) as fingers:
            clicks = [fingers.submit(patiently, lambda: self._click(plan, chosen)) for _ in range(chosen.clicks)]
        runs = {click.result().pk: click.result() for click in clicks}
        if len(runs) != 1:
            self.defects.append(f"{chosen.clicks} clicks of {chosen.index} made the runs {sorted(runs)}")
        if chosen.clicks > 1:
            patiently(lambda: self._try_another(chosen, target, next(iter(runs.values()))))
        connection.close()
        return next(iter(runs.values())), target

    def _plan(self, chosen: Trouble, target: str) -> Plan:
        environment = environments.default()
        params = {"count": chosen.count} if chosen.action == "chaos-scale" else {}
        while True:
            plan = planning.draft(
                actions[chosen.action](), environment, target, params, by=self.responder, incident=None
            )
            planning.resolve(plan)
            if plan.state == Plan.State.READY and not plan.refusals:
                return plan
            # Its rollout may still be in progress, or an earlier run's effect late.
            params = {"count": params["count"] % 50 + 1} if params else {}
            time.sleep(0.2)

    def _click(self, plan: Plan, chosen: Trouble) -> Run:
        try:
            return requests.request(
                Plan.objects.get(pk=plan.pk), by=self.responder, reason="a storm", idempotency_key=f"c-{chosen.index}"
            )
        finally:
            connection.close()

    def _try_another(self, chosen: Trouble, target: str, first: Run) -> None:
        """Somebody else wants the same target: either the first run stands in the way, or it is over already."""
        plan = planning.draft(
            actions["chaos-restart"](), environments.default(), target, {}, by=self.commander, incident=None
        )
        try:
            second = requests.request(
                plan, by=self.commander, reason="me too", idempotency_key=f"c-{chosen.index + OTHERS}"
            )
        except NotStarted as refusal:
            self.refused_elsewhere += refusal.code == "target-busy"
        else:
            self.others.append((second, target))
            first.refresh_from_db()
            if first.status not in FINISHED:
                self.defects.append(f"two runs on {target} at a time")

    def _look(self) -> None:
        close_old_connections()
        states = dict(Run.objects.filter(pk__in=list(self.under_way)).values_list("pk", "status"))
        for pk, status in states.items():
            if status == RunStatus.UNKNOWN:
                self._settle(pk)
            elif status in FINISHED:
                target = self.under_way.pop(pk)
                if target not in self.under_way.values():
                    self.free.append(target)

    def _settle(self, pk: int) -> None:
        """What a commander does: let NovaOps look once more, then look at AWS and say what is."""
        run = Run.objects.get(pk=pk)
        if pk not in self.checked:
            requests.check(run, by=self.commander)
            self.checked.add(pk)
            return
        happened = any(entry["run"] == pk and entry["changed"] for entry in self.place.ledger())
        self.unknown[pk] = happened
        requests.decide(run, happened=happened, by=self.commander, reason="seen in the ledger")


def patiently(call: Callable[[], T], within_s: float = 90) -> T:
    """What the call answers, asked again while the database is away: as a person tries again with the same key."""
    until = time.monotonic() + within_s
    while True:
        try:
            return call()
        except Error:
            connection.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def people() -> tuple[User, User]:
    """The responder who asks and the commander who decides."""
    from django.contrib.auth.models import Group

    found: list[Any] = []
    for role in ("responder", "commander"):
        user = User.objects.create_user(f"storm-{role}")
        user.groups.add(Group.objects.get_or_create(name=role)[0])
        found.append(user)
    return found[0], found[1]
