"""Runs in a storm: `make chaos` kills, cuts and floods everything around the engine and counts what really happened."""
