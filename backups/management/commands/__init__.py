"""Commands of backups, one file each."""
