"""Tests of novaops.audit."""
