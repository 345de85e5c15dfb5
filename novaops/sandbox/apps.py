"""The sandbox as a Django app, installed only where NOVAOPS_SANDBOX_URL is set."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "novaops.sandbox"
    label = "sandbox"
    verbose_name = "Sandbox"
