"""What survives: workers killed with -9, with real Celery workers against the simulated AWS."""
