"""The services of Nova that are watched: one file each."""

from importlib import import_module
from pkgutil import iter_modules


def autodiscover() -> None:
    """Import every file of this package, so that each registers its service."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
