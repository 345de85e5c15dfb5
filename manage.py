#!/usr/bin/env python
"""Django's command line for NovaOps, and before it `demo` and `sandbox`, which make the environment it needs."""

import os
import sys


def main() -> None:
    """Run the command that the arguments name."""
    if sys.argv[1:2] in (["demo"], ["sandbox"]):
        from novaops.sandbox import cli

        sys.exit(cli.main(sys.argv[1:]))
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novaops.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
