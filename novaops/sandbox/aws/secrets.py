"""Nova's DATABASE_URL in the simulated Secrets Manager; moto keeps its versions."""

import json

from moto.secretsmanager.models import secretsmanager_backends

from novaops.sandbox.aws.ecs import DB_HOST
from novaops.sandbox.aws.wire import ACCOUNT, REGION

NAME = "nova/database"
# It opens nothing: the tasks of the sandbox connect to the database of this machine.
PASSWORD = "sandbox-only-not-a-password"  # noqa: S105
URL = f"postgresql://nova:{PASSWORD}@{DB_HOST}:5432/nova"


def install() -> None:
    """Nothing is put in place of moto's."""


def reset() -> None:
    """moto forgets by itself."""


def seed() -> None:
    """The secret as Nova's services read it."""
    secretsmanager_backends[ACCOUNT][REGION].create_secret(
        name=NAME,
        secret_string=json.dumps({"DATABASE_URL": URL, "username": "nova"}),
        secret_binary=None,
        description="Nova's database",
        tags=[],
        kms_key_id=None,
        client_request_token=None,
        replica_regions=[],
        force_overwrite=False,
    )
