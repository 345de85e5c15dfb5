"""The incidents app."""

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """Incidents listen to alerts and runs, and show themselves on every page."""

    name = "incidents"

    def ready(self) -> None:
        """Connect the receivers; tell the overview and the palette what is open, and the engine of an open SEV1."""
        from backups import claims
        from dashboard import commands, overview, rehearsals
        from dashboard import marks as on_charts
        from incidents import (
            api,
            api_checklist,
            api_follow_ups,
            api_learning,
            api_postmortem,
            api_telling,
            broken_glass,
            drills,
            marks,
            needed,
            owed,
            receivers,
            strip,
            telling,
        )
        from novaops.outbox import channels
        from novaops.runbook import api_problems, approvals, objections
        from novaops.runbook.api import api as engine_api

        approvals.open_sev1.append(broken_glass.open_sev1)
        rehearsals.sources.append(drills.go_on)
        objections.sources.append(drills.objection)
        channels.objections.append(telling.objection)
        overview.incident_strips.append(strip.of)
        overview.debts.append(owed.debts)
        commands.open_things.append(strip.commands)
        commands.open_things.append(strip.alerts)
        on_charts.sources.append(marks.of)
        for part in (api, api_checklist, api_telling, api_postmortem, api_follow_ups, api_learning):
            engine_api.add_router("", part.router)
        api_problems.MOST_BYTES_OF.update(api_postmortem.MOST_BYTES_OF)
        receivers.connect()
        claims.claimants.append(needed.claimed)
