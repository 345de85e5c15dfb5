"""Point Nova at another database instance: the runbook's update of DATABASE_URL, and its services redeployed."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from django import forms
from django.core.validators import RegexValidator

from backups import pointing
from backups.models import Restore
from novaops.cloud import rds_snapshots, secrets
from novaops.environment import Environment
from novaops.runbook import rollouts
from novaops.runbook.action import Action, AnyStep, Change, Context, FromStep, Inverse, Precheck, Risk
from novaops.runbook.registry import register

IDENTIFIER = RegexValidator(r"^[A-Za-z](-?[A-Za-z0-9])*$", "The identifier of a DB instance.")


class InstanceForm(forms.Form):
    """Whither Nova is pointed."""

    instance = forms.CharField(
        max_length=63,
        validators=[IDENTIFIER],
        label="Instance",
        help_text="The restored instance that Nova is to use, as in nova-restored-2026-11-24-17.",
    )


@register
class CutOver(Action):
    """Let Nova use another database instance: a new version of DATABASE_URL, then its services one after the other.

    Only host and port change. The value is never shown, kept or logged: versions and hosts stand for it.
    """

    key = "cut-over"
    title = "Cut Nova over to a restored instance"
    service = "database"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Backup Strategy: Restore from Snapshot"
    iam_permissions = pointing.IAM
    expected_s = 420.0
    affects = (
        "Everybody: what was written to the old instance after the restored moment is not in the new one. Requests go "
        "on while the services are redeployed one after the other."
    )
    undo = "Cut back: the old version of the value again, and the services redeployed, while the old instance exists."
    undoes_halves = True
    form = InstanceForm

    def applies(self, environment: Environment) -> bool:
        """Only where nova.toml says where DATABASE_URL stands."""
        return pointing.applies(environment)

    def look(self, ctx: Context) -> dict[str, Any]:
        """Whither Nova points now, the instance it is to use, and the services that read the value."""
        url = pointing.place(ctx.environment)
        deployed = pointing.look_at_services(ctx.environment)
        return {
            "services": deployed,
            "from": _pointer(ctx, deployed),
            "to": _instance(ctx, str(ctx.params["instance"])),
            "place": pointing.named(url),
            "token": ctx.facts.get("token") or uuid4().hex,
            "restore": _proof(ctx),
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """The instance is available and proven, the value can be pointed elsewhere, the services can be deployed."""
        name, to, now = ctx.params["instance"], ctx.facts["to"], ctx.facts["from"]
        yield Precheck.require(
            bool(to) and to["status"] == "available",
            f"{name} is available.",
            f"{name} is {to['status']}: wait until it is available." if to else f"RDS does not know {name}.",
        )
        yield _of_proof(name, ctx.facts["restore"])
        lacking = [kind for kind, host in now["hosts"].items() if not host]
        sentence = f"{', '.join(lacking)} has no variable {pointing.place(ctx.environment).name}."
        yield Precheck.require(not lacking, f"DATABASE_URL stands in {ctx.facts['place']}.", sentence)
        yield Precheck.require(
            not to or set(now["hosts"].values()) != {to["host"]},
            f"Now it points at {now['host']}.",
            f"It points at {name} already.",
        )
        yield from pointing.prechecks(ctx)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The host, what is lost by it, and who is redeployed."""
        to, now, proof = ctx.facts["to"] or {"host": "?"}, ctx.facts["from"], ctx.facts["restore"]
        yield Change(what="Database host", before=now["host"], after=to["host"])
        version = f"version {now['version']}" if now["version"] else "the deployed revisions"
        yield Change(what="DATABASE_URL", before=f"{version} of {ctx.facts['place']}", after="a new one")
        if proof:
            yield Change(what="Data", before="all of production", after=proof["loss"])
        names = [one.service for one in pointing.services(ctx.environment).values()]
        yield Change(what="Services", before="running", after=f"redeployed in this order: {', '.join(names)}")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """A new version of the value, then each service with its rollout and health."""
        to, url = ctx.facts["to"], pointing.place(ctx.environment)
        if not to:
            return
        if url.kind != "variable":
            yield pointing.point(ctx, to["host"], to["port"])
        for kind, service in pointing.services(ctx.environment).items():
            if url.kind != "variable":
                yield from pointing.redeploy(ctx, kind)
                continue
            hosts = {"hosts": {url.name: [to["host"], to["port"]]}}
            source = ctx.facts["services"][kind]["task_definition"]
            yield rollouts.register_copy(service, source, hosts, key=f"register-{kind}")
            yield from pointing.deploy_revision(ctx, kind, FromStep(f"register-{kind}", "task_definition"))
        yield pointing.all_serve()

    def inverse(self, ctx: Context) -> Inverse | None:
        """Back to what this run found."""
        sentence = f"Point Nova back at {ctx.facts['from']['host']}"[:200]
        return Inverse(action="cut-back", params={"run": ctx.run_id}, sentence=sentence)


def _pointer(ctx: Context, deployed: dict[str, Any]) -> dict[str, Any]:
    """Version and host of now, and the host by service where each has its own."""
    url = pointing.place(ctx.environment)
    if url.kind == "variable":
        hosts = pointing.hosts(ctx.environment, deployed)
        return {"version": "", "host": ", ".join(sorted({*hosts.values()} - {""})), "hosts": hosts}
    found = secrets.pointer(ctx.environment, url)
    return {"version": found.version, "host": found.host, "hosts": {"all": found.host}}


def _instance(ctx: Context, name: str) -> dict[str, Any] | None:
    found = rds_snapshots.settings(ctx.environment, name)
    if found is None:
        return None
    where = found.get("Endpoint") or {"Address": "", "Port": 0}
    return {"status": found["DBInstanceStatus"], "host": where["Address"], "port": where["Port"]}


def _proof(ctx: Context) -> dict[str, Any] | None:
    """What our record says of the restored instance; None where we did not make it."""
    record = Restore.objects.filter(environment=ctx.environment.name, instance=ctx.params["instance"]).first()
    return {"state": record.state, "loss": record.loss, "number": record.pk} if record else None


def _of_proof(name: str, proof: dict[str, Any] | None) -> Precheck:
    if proof is None:
        return Precheck(state="warning", sentence=f"{name} was not restored here: nobody looked into its database.")
    if proof["state"] != Restore.State.PROVEN:
        return Precheck(state="warning", sentence=f"{name} is not proven: its database was not looked at to the end.")
    return Precheck(state="passed", sentence=f"{name} is proven: {proof['loss']}.")
