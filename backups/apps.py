"""The backups app."""

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    """Registers the backups app and listens to runs."""

    name = "backups"

    def ready(self) -> None:
        """Keep the records of restores, have the policy watched, and read backups again after what changes them."""
        from backups import drills, receivers, restore_records, watches
        from novaops import watching
        from novaops.runbook.signals import run_changed, run_finished

        run_changed.connect(restore_records.on_run_changed, dispatch_uid="backups.run_changed")
        run_finished.connect(restore_records.on_run_changed, dispatch_uid="backups.run_finished")
        receivers.connect()
        watching.watchers += [watches.WATCHER, drills.WATCHER]
