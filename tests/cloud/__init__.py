"""Tests of novaops.cloud."""
