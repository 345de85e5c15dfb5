"""The audit chain: every decision and effect, append-only and hash-chained."""
