"""NovaOps: the operations dashboard of Nova-Rewards."""

import gc

__version__ = "0.1.0"

# After every 700 new objects, as by default, the search for cycles takes an eighth of a start and finds nothing.
gc.set_threshold(50_000, 20, 20)
