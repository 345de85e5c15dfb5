"""Point Nova back at the database of before a cut-over."""

from collections.abc import Iterable
from typing import Any

from django import forms

from backups import pointing
from novaops.cloud import rds_snapshots, secrets
from novaops.cloud.errors import Refused
from novaops.environment import Environment
from novaops.runbook.action import Action, AnyStep, Change, Context, Effect, Precheck, Repeat, Risk, Seen
from novaops.runbook.models import Run
from novaops.runbook.registry import register

MAX_RUN = 2**31 - 1


class RunForm(forms.Form):
    """Which cut-over is put back."""

    run = forms.IntegerField(
        min_value=1,
        max_value=MAX_RUN,
        label="Run of the cut-over",
        help_text="Its number, as in the list of runs. Its own page offers this too.",
    )


@register
class CutBack(Action):
    """Let Nova use the database of before a cut-over: DATABASE_URL as it was then, and its services redeployed."""

    key = "cut-back"
    title = "Cut Nova back to the old database"
    service = "database"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Backup Strategy: Restore from Snapshot"
    iam_permissions = pointing.IAM
    expected_s = 420.0
    affects = (
        "Everybody: what was written to the restored instance since the cut-over is not in the old one. Requests go on "
        "while the services are redeployed one after the other."
    )
    undo = "Cut over again."
    form = RunForm

    def applies(self, environment: Environment) -> bool:
        """Only where nova.toml says where DATABASE_URL stands."""
        return pointing.applies(environment)

    def look(self, ctx: Context) -> dict[str, Any]:
        """What the cut-over found, whither Nova points now, and whether the old instance is still there."""
        cut_over = Run.objects.filter(pk=ctx.params["run"], action="cut-over", environment=ctx.environment.name).first()
        if cut_over is None:
            raise Refused(f"Run {ctx.params['run']} is no cut-over of {ctx.environment.title}", code="MISSING")
        before, url = cut_over.plan.facts, pointing.place(ctx.environment)
        old = rds_snapshots.settings(ctx.environment, ctx.environment.database.target)
        now = secrets.pointer(ctx.environment, url) if url.kind != "variable" else None
        return {
            "services": pointing.look_at_services(ctx.environment),
            "version": before["from"]["version"],
            "host": before["from"]["host"],
            "revisions": {kind: facts["task_definition"] for kind, facts in before["services"].items()},
            "current": {"version": now.version, "host": now.host} if now else {"version": "", "host": ""},
            "place": pointing.named(url),
            "old": {"host": old["Endpoint"]["Address"], "status": old["DBInstanceStatus"]} if old else None,
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """The old instance still exists, and the services can be deployed."""
        old, host = ctx.facts["old"], ctx.facts["host"]
        if old is None or old["host"] not in host:
            sentence = f"{host} is not the address of {ctx.target}: make sure that something answers there."
            yield Precheck(state="warning" if old else "failed", sentence=sentence)
        else:
            yield Precheck.require(
                old["status"] == "available", f"{ctx.target} is available.", f"{ctx.target} is {old['status']}."
            )
        yield from pointing.prechecks(ctx)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The host, the version, and who is redeployed."""
        now, host = ctx.facts["current"], ctx.facts["host"]
        yield Change(what="Database host", before=now["host"] or "as deployed", after=host)
        names = [one.service for one in pointing.services(ctx.environment).values()]
        yield Change(what="Services", before="running", after=f"redeployed in this order: {', '.join(names)}")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """The earlier version, then each service with its rollout and health."""
        url = pointing.place(ctx.environment)
        if url.kind == "variable":
            for kind in pointing.services(ctx.environment):
                yield from pointing.deploy_revision(ctx, kind, ctx.facts["revisions"][kind])
        else:
            if ctx.facts["current"]["version"] != ctx.facts["version"]:
                yield _put_back(ctx)
            for kind in pointing.services(ctx.environment):
                yield from pointing.redeploy(ctx, kind)
        yield pointing.all_serve()


def _put_back(ctx: Context) -> Effect:
    """The secret's earlier version is current again; a parameter gets a copy of it. Neither names the value."""
    url, old = pointing.place(ctx.environment), ctx.facts["version"]
    if url.kind == "secret":
        call: Any = secrets.MOVE_STAGE
        params = {
            "SecretId": url.name,
            "VersionStage": secrets.CURRENT,
            "MoveToVersionId": old,
            "RemoveFromVersionId": ctx.facts["current"]["version"],
        }
    else:
        call, params = secrets.POINT_PARAMETER, {"Name": url.name, "FromVersion": old}
    return Effect(
        key="point",
        title=f"Let {pointing.named(url)} be as it was",
        call=call,
        params=params,
        repeat=Repeat.CONVERGING,
        before=pointing.version_now,
        observe=_is_back,
    )


def _is_back(ctx: Context, before: dict[str, Any]) -> Seen | None:
    url = pointing.place(ctx.environment)
    found = secrets.pointer(ctx.environment, url)
    back = found.version == ctx.facts["version"] if url.kind == "secret" else found.version != before["version"]
    return Seen(sentence=f"Version {found.version} points at {found.host}") if back else None
