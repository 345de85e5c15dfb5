"""The engine: runbook procedures as actions, plans, runs and steps."""
