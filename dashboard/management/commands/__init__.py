"""Commands of the dashboard, one file each."""
