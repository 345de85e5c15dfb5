"""Importing this lets Python look for garbage seldom: as often as by default costs a tenth of a run's time.

Almost everything is freed by its last reference; only cycles wait, and the tests' processes end before those matter.
"""

import gc

gc.set_threshold(50_000, 20, 20)
