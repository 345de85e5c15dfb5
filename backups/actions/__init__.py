"""The runbook's procedures about backups, one file each."""
