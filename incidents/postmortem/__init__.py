"""The post-mortem of an incident: generated from facts, finished by people, exported as a file."""
