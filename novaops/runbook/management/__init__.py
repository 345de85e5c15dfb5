"""Commands of the runbook app."""
