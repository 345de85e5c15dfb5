"""What outside systems tell NovaOps of trouble: verified, kept as it came, then read into alerts."""
