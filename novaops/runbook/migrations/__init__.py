"""Migrations of the runbook app."""
