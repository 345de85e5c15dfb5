"""The outside: one file per system. The only code that imports boto3 or connects to anything of Nova's."""
