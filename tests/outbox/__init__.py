"""The outbox against the simulated Slack, status page and PagerDuty."""
