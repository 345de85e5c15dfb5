"""One file per kind of service: its series, rules and probe."""
