"""Backups: snapshots and restores."""
