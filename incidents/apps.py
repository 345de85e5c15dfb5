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
        from incidents import api, broken_glass, drills, marks, needed, owed, receivers, strip
        from novaops.runbook import approvals, requests
        from novaops.runbook.api import api as engine_api

        approvals.open_sev1.append(broken_glass.open_sev1)
        rehearsals.sources.append(drills.go_on)
        requests.objections.append(drills.objection)
        overview.incident_strips.append(strip.of)
        overview.debts.append(owed.debts)
        commands.open_things.append(strip.commands)
        commands.open_things.append(strip.alerts)
        on_charts.sources.append(marks.of)
        engine_api.add_router("", api.router)
        receivers.connect()
        claims.claimants.append(needed.claimed)
