"""One test file per action: what it sends, and what it waits for."""
