"""What NovaOps tells Slack, the status page and PagerDuty: each message is a row first, and is sent at most once."""
