"""manage.py act: a runbook action from the command line, for the day the browser is down.

The same plan, checks and audit as on the page. The plan is resolved by this process. With --wait it also carries the
run on itself, by the engine's own `advance`: where no worker listens (the broker is down) the run proceeds all the
same, and where workers do, the run's lease lets exactly one of all make each transition.

Exit code: 0 succeeded, planned (--dry-run) or started (without --wait: it may still fail); 1 failed, canceled, expired;
2 refused, nothing happened; 3 outcome unknown, look before doing anything; 4 under way when the wait was broken off.
"""

import sys
import time
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import QueryDict

from novaops import environment as environments
from novaops.access import operator
from novaops.access.policy import Verb, can
from novaops.runbook import approvals, engine, intake, planning, requests
from novaops.runbook.models import Plan, Run
from novaops.runbook.requests import REASON_LENGTH
from novaops.runbook.states import FINISHED, RunStatus, StepState

SUCCEEDED, FAILED, REFUSED, UNKNOWN, UNDER_WAY = 0, 1, 2, 3, 4
EXIT = {RunStatus.SUCCEEDED: SUCCEEDED, RunStatus.UNKNOWN: UNKNOWN}
LOOK_EVERY_S = 0.5
# The audit names the system's user beside the account, as far as its column goes.
VIA_LENGTH = 20


class Command(BaseCommand):
    """Prints the exact calls first; --dry-run ends there."""

    help = "Run a runbook action: same checks, same audit. The exit code tells the outcome (see docs/actions.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", help="its key, like restart-api")
        parser.add_argument("target", help="the declared name, like nova-api")
        parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
        parser.add_argument("--reason", default="", help="why; required unless --dry-run")
        parser.add_argument("--environment", help="the first declared one where none is named")
        parser.add_argument(
            "--user", help="the account to act as; the one called like the system's user where none is named"
        )
        parser.add_argument("--incident", type=int, help="the number of the incident that this belongs to")
        parser.add_argument("--dry-run", action="store_true", help="plan and check only: nothing is changed")
        parser.add_argument("--wait", action="store_true", help="carry the run on here until it is over")

    def handle(self, *args: Any, **options: Any) -> None:
        user = operator.account(options["user"])
        try:
            plan = _planned(user, options)
        except planning.Invalid as failure:
            raise _refused(f"{failure.field}: {failure} Nothing happened.") from failure
        self._show_plan(plan)
        if plan.state == Plan.State.FAILED:
            raise _refused(plan.sentence)
        if options["dry_run"]:
            self._end_dry_run(plan)
            return
        run = self._start(plan, user, options)
        if options["wait"]:
            self._carry_on(run)

    def _show_plan(self, plan: Plan) -> None:
        self.stdout.write(
            f"{plan.action} on {plan.target} in {plan.environment} (plan {plan.digest[:12] or 'not made'})"
        )
        for check in plan.prechecks:
            self.stdout.write(f"  {check['state']:8} {check['sentence']}")
        for change in plan.changes:
            self.stdout.write(f"  change   {change['what']}: {change['before']} -> {change['after']}")
        for step in plan.steps:
            self.stdout.write(f"  {step['kind']:8} {step['title']}")
            if step["kind"] == "effect":
                self.stdout.write(f"           {step['command_line']}")
        self.stdout.write(f"  affects  {plan.affects}\n  undo     {plan.undo}")

    def _end_dry_run(self, plan: Plan) -> None:
        if plan.refusals:
            raise _refused(f"It would be refused: {' '.join(plan.refusals)} Nothing happened.")
        self.stdout.write("Dry run: nothing was changed.")

    def _start(self, plan: Plan, user: User, options: dict[str, Any]) -> Run:
        try:
            run = requests.request(
                plan,
                by=user,
                reason=options["reason"],
                idempotency_key=f"cli:{plan.pk}",
                via=f"cli:{operator.system_user()}"[:VIA_LENGTH],
                incident=options["incident"],
            )
        except requests.NotStarted as refusal:
            raise _refused(str(refusal)) from refusal
        self.stdout.write(
            f"Run {run.pk} by {user.get_username()}: {run.get_status_display()}. {run.get_absolute_url()}"
        )
        return run

    def _carry_on(self, run: Run) -> None:
        shown: set[str] = set()
        try:
            while run.status not in (*FINISHED, RunStatus.UNKNOWN):
                approvals.expire_old()
                after_s = engine.advance(run.pk)
                run.refresh_from_db()
                self._show_news(run, shown)
                time.sleep(LOOK_EVERY_S if after_s is None else min(after_s, LOOK_EVERY_S))
        except KeyboardInterrupt:
            sentence = f"Run {run.pk} is not called off: workers carry it on. Cancel it on its page."
            raise CommandError(sentence, returncode=UNDER_WAY) from None
        self.stdout.write(f"{RunStatus(run.status).label}: {run.outcome}")
        if run.status != RunStatus.SUCCEEDED:
            sys.exit(EXIT.get(RunStatus(run.status), FAILED))

    def _show_news(self, run: Run, shown: set[str]) -> None:
        for line in [run.get_status_display(), *_progress(run)]:
            if line not in shown:
                shown.add(line)
                self.stdout.write(f"  {line}")
                self.stdout.flush()


def _progress(run: Run) -> list[str]:
    lines = []
    for step in run.steps.exclude(state=StepState.PENDING).prefetch_related("calls"):
        lines += [
            f"{step.title}: {call.operation} {call.get_outcome_display()} {call.sentence}".rstrip()
            for call in step.calls.all()
        ]
        lines.append(f"{step.title}: {step.get_state_display()}{f' ({step.sentence})' if step.sentence else ''}")
    return lines


def _planned(user: User, options: dict[str, Any]) -> Plan:
    """The resolved plan. Raises Invalid, or a CommandError where the account may not even look."""
    action, environment = intake.named(options["action"], options["environment"] or environments.default().name)
    verdict = can(user, Verb.VIEW if options["dry_run"] else action.risk.verb, environment)
    if not verdict:
        raise _refused(verdict.sentence)
    if not options["dry_run"] and not 1 <= len(options["reason"].strip()) <= REASON_LENGTH:
        raise _refused(f"Say why with --reason, in 1 to {REASON_LENGTH} characters. Nothing happened.")
    if options["incident"] is not None and not 1 <= options["incident"] < 2**31:
        raise planning.Invalid("incident", "An incident has a positive number.")
    params = intake.checked(action, _values(action.form.base_fields, options["param"]))
    plan = planning.draft(action, environment, options["target"], params, by=user, incident=options["incident"])
    planning.resolve(plan)
    return plan


def _values(fields: dict[str, forms.Field], given: list[str]) -> dict[str, Any]:
    """`name=value` pairs as a form takes them; a name may come more than once where it takes many values."""
    found = QueryDict(mutable=True)
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise planning.Invalid("params", f"{pair!r} is not NAME=VALUE.")
        found.appendlist(name, value)
    many = {name for name in found if isinstance(fields.get(name), forms.MultipleChoiceField)}
    return {name: found.getlist(name) if name in many else found[name] for name in found}


def _refused(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=REFUSED)
