"""Tests of what one sees and does about health."""
