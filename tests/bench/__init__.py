"""Measurements of NovaOps on this machine: `make bench` prints them."""
