"""Snapshots, restores and the proof that they work."""
