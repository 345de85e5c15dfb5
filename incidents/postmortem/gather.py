"""Loads the facts of a post-mortem from the rows of the incident, its alerts, runs, samples and audit entries."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

import novaops
from backups.restore_models import Restore
from dashboard.models import Alert
from incidents.checklist import spent
from incidents.guard import where
from incidents.health import titles
from incidents.measures import measures
from incidents.models import PROOF, FollowUp, Incident, Link, TimelineEntry
from incidents.postmortem import curves, measured
from incidents.postmortem.story import (
    AlertFact,
    AuditRange,
    Excerpt,
    FollowUpFact,
    Held,
    Line,
    MergedFact,
    RestoreFact,
    RunFact,
    StepFact,
    Story,
)
from novaops.audit import chain
from novaops.audit.models import Entry
from novaops.runbook.models import Approval, Run, Undo
from novaops.runbook.states import RunStatus

MOST_LINES = 500
MOST_EXCERPT = 40
BEFORE = timedelta(hours=1)
Kind = TimelineEntry.Kind


def gather(incident: Incident, *, base_url: str) -> Story:
    """The facts as they stand now."""
    now = timezone.now()
    links = list(incident.links.all())
    alerts = list(_alerts([link.ref for link in links if link.kind == Link.Kind.ALERT]))
    runs = list(_runs([link.ref for link in links if link.kind == Link.Kind.RUN]))
    place = where(incident)
    seen = measured.window(incident, place, now)
    figures, figures_query = measured.figures(incident, seen)
    told, left_out = _told(incident)
    return Story(
        number=incident.number,
        uid=str(incident.uid),
        title=incident.title,
        severity=incident.severity,
        severity_meaning=incident.grade.meaning,
        update_every_s=incident.grade.update_every.total_seconds() if incident.grade.update_every else None,
        state=incident.state,
        environment=incident.environment,
        time_zone=place.time_zone or "",
        is_drill=incident.is_drill,
        services=titles(incident.services),
        impact=incident.impact,
        commander=incident.commander.get_username() if incident.commander else "",
        commander_since=_commander_since(incident),
        participants=_participants(incident),
        declared_at=incident.declared_at,
        moments=incident.moments,
        measures=tuple(measures(incident.moments)),
        alerts=tuple(_alert(alert) for alert in alerts),
        runs=tuple(_run(run) for run in runs),
        earlier_runs=_earlier_runs(incident),
        earlier_changes=_earlier_changes(told, incident.detected_at or incident.started_at),
        reports=_lines(incident, PROOF & Q(data__has_key="report")),
        messages=_lines(incident, Q(kind=Kind.MESSAGE)),
        merged=_merged(incident, now),
        roles=_roles(incident),
        hand_overs=_lines(incident, Q(kind=Kind.ROLE)),
        timeline=tuple(_line(entry) for entry in _worth_telling(told)),
        timeline_left_out=left_out,
        steps=_steps(incident, now),
        numbers=tuple(measured.numbers(incident, seen)),
        states=tuple(curves.of_states(incident, seen, alerts)),
        figures=figures,
        figures_query=figures_query,
        signs=tuple(curves.signs(incident, seen, alerts)),
        charts=tuple(curves.charts(incident, seen, alerts, runs)),
        effects=tuple(curves.effects(seen, runs, alerts, now)),
        restores=_restores(incident, runs),
        excerpts=_excerpts(incident),
        follow_ups=tuple(_follow_up(each) for each in incident.follow_ups.select_related("owner")),
        audit=_audit(incident),
        generated_at=now,
        version=novaops.__version__,
        base_url=base_url.rstrip("/"),
    )


def _title(kind: str) -> str:
    return titles([kind])[0]


def _told(incident: Incident) -> tuple[list[TimelineEntry], int]:
    """What the document's table tells, in its order, and how many more there are: key moments before the newest."""
    newest = incident.timeline.select_related("author").order_by("-at", "-id")
    key = list(newest.filter(starred=True)[: MOST_LINES + 1])
    told = [*key, *newest.filter(starred=False)[: MOST_LINES + 1 - len(key)]]
    left_out = incident.timeline.count() - MOST_LINES if len(told) > MOST_LINES else 0
    return sorted(told[:MOST_LINES], key=lambda entry: (entry.at, entry.pk)), left_out


def _worth_telling(told: list[TimelineEntry]) -> Iterator[TimelineEntry]:
    """Without that a run went on, which its beginning and its end tell, and the same verdict of the overview again."""
    said = ""
    for entry in told:
        if entry.kind == Kind.RUN and entry.data.get("status") == RunStatus.RUNNING:
            continue
        if entry.data.get("snapshot"):
            before, said = said, entry.text
            if before == said:
                continue
        yield entry


def _commander_since(incident: Incident) -> datetime | None:
    """When who commands it now took command."""
    taken = incident.timeline.filter(kind=Kind.ROLE, data__role="commander", data__to=str(incident.commander))
    return taken.order_by("-at").values_list("at", flat=True).first()


def _participants(incident: Incident) -> tuple[str, ...]:
    # Not made distinct by the database, which would walk through the authors of all incidents.
    wrote = set(incident.timeline.order_by().values_list("author_id", flat=True)) - {None}
    held = incident.roles.order_by().values("user")
    people = User.objects.filter(Q(pk__in=wrote) | Q(pk__in=held))
    return tuple(people.order_by("username").values_list("username", flat=True))


def _alerts(linked: list[int]) -> QuerySet[Alert]:
    """The alerts that were tied to the incident, oldest first."""
    return Alert.objects.filter(pk__in=linked).prefetch_related("witnesses").order_by("fired_at", "pk")


def _runs(linked: list[int]) -> QuerySet[Run]:
    """The runs that were tied to the incident, oldest first, with what was decided about them."""
    return Run.objects.filter(pk__in=linked).select_related("requested_by", "approval", "inverse").order_by("pk")


def _lines(incident: Incident, which: Q) -> tuple[Line, ...]:
    entries = incident.timeline.filter(which).select_related("author").order_by("at", "id")
    return tuple(_line(entry) for entry in entries[:MOST_LINES])


def _roles(incident: Incident) -> tuple[Held, ...]:
    held = incident.roles.select_related("user")
    return tuple(
        Held(role=one.get_name_display(), who=one.user.get_username(), since=one.since, until=one.until) for one in held
    )


def _restores(incident: Incident, runs: list[Run]) -> tuple[RestoreFact, ...]:
    """The restores of the database that belong to the incident, by its number or by their runs."""
    found = Restore.objects.filter(Q(incident__in=incident.numbers) | Q(run__in=runs)).order_by("pk")
    return tuple(
        RestoreFact(
            source=one.source,
            instance=one.instance,
            state=one.get_state_display(),
            rto_s=one.rto_s,
            rpo_s=one.rpo_s,
            loss=one.loss,
            url=one.run.get_absolute_url(),
        )
        for one in found.select_related("run")
    )


def _excerpts(incident: Incident) -> tuple[Excerpt, ...]:
    """The log lines that were attached: entries of the timeline with `excerpt` among their data."""
    entries = incident.timeline.filter(data__has_key="excerpt").order_by("at", "id")[:MOST_EXCERPT]
    return tuple(
        Excerpt(at=entry.at, title=entry.text, lines=tuple(str(line) for line in entry.data["excerpt"][:MOST_EXCERPT]))
        for entry in entries
    )


def _row(row: Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _payload(alert: Alert) -> str:
    """All that is recorded of an alert, and who told of it."""
    known = _row(alert) | {"witnesses": [_row(witness) for witness in alert.witnesses.all()]}
    return json.dumps(known, indent=2, sort_keys=True, default=str, ensure_ascii=False)


def _alert(alert: Alert) -> AlertFact:
    return AlertFact(
        title=alert.title,
        rule=alert.rule,
        service=_title(alert.service),
        severity=alert.severity,
        flaps=alert.flaps,
        witnesses=tuple(f"{one} since {one.since:%Y-%m-%d %H:%M:%S} UTC" for one in alert.witnesses.all()),
        payload=_payload(alert),
        source=alert.source,
        sentence=alert.sentence,
        started_at=alert.started_at,
        fired_at=alert.fired_at,
        cleared_at=alert.cleared_at,
        value=alert.value,
        threshold=alert.threshold,
    )


def _run(run: Run) -> RunFact:
    approval: Approval | None = getattr(run, "approval", None)
    inverse: Undo | None = getattr(run, "inverse", None)
    decided = approval.decided_at if approval else None
    return RunFact(
        title=run.title,
        action=run.action,
        approval_s=(decided - approval.created_at).total_seconds() if approval and decided else None,
        worked=run.worked,
        not_put_back=inverse.sentence if inverse and inverse.state == Undo.State.OPEN else "",
        target=run.target,
        service=run.service,
        status=run.status,
        outcome=run.outcome,
        by=run.requested_by.get_username(),
        requested_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        url=run.get_absolute_url(),
        broken_glass=run.broken_glass,
        reason=run.reason,
    )


def _earlier_runs(incident: Incident) -> tuple[RunFact, ...]:
    window = (incident.started_at - BEFORE, incident.started_at)
    runs = Run.objects.filter(environment=incident.environment, created_at__range=window)
    return tuple(_run(run) for run in runs.select_related("requested_by", "approval", "inverse").order_by("pk")[:20])


def _earlier_changes(entries: list[TimelineEntry], until: datetime) -> tuple[tuple[datetime, str], ...]:
    """Deployments and configuration changes of before its detection, as the overview knew them at the declaration."""
    first: TimelineEntry | None = next((entry for entry in entries if entry.data.get("snapshot")), None)
    changes = first.data.get("changes", []) if first else []
    found = [(parse_datetime(at), text) for at, kind, text in changes if kind not in ("alert", "run")]
    return tuple((at, text) for at, text in found if at and at <= until)


def _line(entry: TimelineEntry) -> Line:
    return Line(
        at=entry.at,
        kind=entry.kind,
        text=entry.text,
        who=entry.who,
        url=entry.url,
        key=entry.starred,
        late=entry.late and entry.author_id is not None,
    )


def _steps(incident: Incident, now: datetime) -> tuple[StepFact, ...]:
    rows = list(incident.steps.select_related("done_by").prefetch_related("items"))
    return tuple(
        StepFact(
            title=row.title,
            state=row.get_state_display().lower(),
            done_at=row.done_at,
            by=row.done_by.get_username() if row.done_by else "NovaOps" if row.done_at else "",
            took_s=spent(row, rows, incident.declared_at, now).total_seconds() if row.done_at else None,
            override_reason=row.override_reason,
            evidence=tuple(_proof(piece, row.done_at or now) for piece in row.evidence),
            open_items=tuple(item.text for item in row.items.all() if not item.done_at) if row.done_at else (),
        )
        for row in rows
    )


def _merged(incident: Incident, now: datetime) -> tuple[MergedFact, ...]:
    """The incidents that became a part of it; when and why is told on its own timeline."""
    told = {
        entry.data["merged"]: entry
        for entry in incident.timeline.filter(data__has_key="merged").select_related("author")
    }
    return tuple(
        MergedFact(
            number=one.number,
            title=one.title,
            severity=one.severity,
            declared_at=one.declared_at,
            merged_at=told[one.number].at if one.number in told else None,
            why=told[one.number].data.get("why", "") if one.number in told else "",
            by=told[one.number].who if one.number in told else "",
            steps=tuple(step for step in _steps(one, now) if step.done_at),
        )
        for one in incident.merged.order_by("number")
    )


def _proof(piece: dict[str, str], otherwise: datetime) -> tuple[datetime, str, str]:
    return parse_datetime(piece["at"]) or otherwise, piece["kind"], piece["text"]


def _follow_up(each: FollowUp) -> FollowUpFact:
    return FollowUpFact(
        title=each.title,
        kind=each.kind,
        owner=f"{each.owner}{'' if each.owned else ' (has left)'}" if each.owner else "",
        due=each.due,
        state=each.state,
    )


def _audit(incident: Incident) -> AuditRange:
    """The entries that tell of it, also of what was merged into it; the hash over theirs changes with any of them."""
    entries = list(Entry.objects.filter(incident__in=incident.numbers).order_by("seq").values_list("seq", "hash"))
    head_seq, head_hash = chain.head()
    return AuditRange(
        entries=len(entries),
        first_seq=entries[0][0] if entries else 0,
        last_seq=entries[-1][0] if entries else 0,
        digest=sha256("".join(digest for _, digest in entries).encode()).hexdigest() if entries else "",
        head_seq=head_seq,
        head_hash=head_hash,
    )
