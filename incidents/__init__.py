"""Incidents: declared, worked through in the runbook's six steps, resolved on proof and learned from."""
