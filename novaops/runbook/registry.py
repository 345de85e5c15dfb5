"""Every action the apps declare, found by importing each file of their `actions` package."""

from importlib import import_module
from pkgutil import iter_modules

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import module_has_submodule

from novaops.runbook.action import Action

DECLARED = ("key", "title", "service", "risk", "runbook_section", "iam_permissions", "expected_s", "affects", "undo")
actions: dict[str, type[Action]] = {}


def register(action: type[Action]) -> type[Action]:
    """Make the action known. Raises ImproperlyConfigured where a declaration is missing or the key is taken."""
    missing = [name for name in DECLARED if not hasattr(action, name)]
    if missing:
        raise ImproperlyConfigured(f"{action.__name__} does not declare {', '.join(missing)}")
    if actions.setdefault(action.key, action) is not action:
        raise ImproperlyConfigured(f"{action.key} is declared twice")
    return action


def autodiscover() -> None:
    """Import every module of every installed app's `actions` package."""
    for app in apps.get_app_configs():
        if app.module is None or not module_has_submodule(app.module, "actions"):
            continue
        package = import_module(f"{app.name}.actions")
        for module in iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")
