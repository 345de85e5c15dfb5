"""One file per runbook procedure on the API server, database, cache and event processor."""
