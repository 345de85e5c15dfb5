"""Tests of the sandbox itself: what the others prove the product against must be true to life."""
