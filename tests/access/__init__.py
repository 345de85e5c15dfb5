"""Tests of novaops.access."""
