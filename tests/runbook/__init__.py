"""Tests of novaops.runbook."""
