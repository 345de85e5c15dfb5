"""NovaOps: the operations dashboard of Nova-Rewards."""

__version__ = "0.1.0"
