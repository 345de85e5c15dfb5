"""The fixtures every test may use: the simulated Nova, users by role, signed-in clients."""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.management import create_contenttypes
from django.core.cache import cache
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.models.signals import post_migrate
from django.test import Client, override_settings
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from novaops.live import Cache
from tests.servers import Nova, nova_key, wait_for_template

# The rows of these tables follow from the models.
DERIVED = ("django_content_type", "auth_permission")
# A test with one of these fixtures waits for other processes much of its time.
OTHERS = {"sandbox", "site"}
# What waits so long begins before all others.
FIRST_S = 30
# The part of a run over which each kind of test is spread.
ENDS_AT = {"first": 0.0, "long": 0.85, "asking": 0.95, "computing": 1.0}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits longest, and spread each kind of test evenly over the run; keep the order within a kind.

    So while one worker waits for the world others compute, and none is left waiting at the end.
    """
    kinds: dict[str, list[pytest.Item]] = {}
    for item in items:
        kinds.setdefault(_kind(item), []).append(item)
    kinds.get("long", []).sort(key=_waits_s, reverse=True)
    place = {
        item: ENDS_AT[kind] * (number + 1) / len(alike)
        for kind, alike in kinds.items()
        for number, item in enumerate(alike)
    }
    items.sort(key=place.__getitem__)


def _kind(item: pytest.Item) -> str:
    if _waits_s(item):
        return "first" if _waits_s(item) >= FIRST_S else "long"
    return "asking" if OTHERS & set(getattr(item, "fixturenames", ())) else "computing"


def _waits_s(item: pytest.Item) -> float:
    """About how long it waits for the world, as its marker says: `long(90)`."""
    marker = item.get_closest_marker("long")
    return float(marker.args[0]) if marker else 0


def pytest_collection_finish() -> None:
    """Leave what every test needs out of each collection of garbage: half a million objects."""
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Copy what is migrated once for all instead of migrating in every worker."""
    wait_for_template()
    connection.settings_dict["TEST"] |= {"TEMPLATE": settings.DATABASES["default"]["NAME"], "MIGRATE": False}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Let tests with real transactions empty the tables behind them, also the audit's, whose trigger refuses others.

    Only what has rows is emptied: to truncate a hundred tables takes longer than most tests. What Django derives from
    the models alone stays, as making it again would.
    """

    def only_what_has_rows(self: DatabaseOperations, style: object, tables: list[str], **options: Any) -> list[str]:
        names = [self.quote_name(table) for table in tables if table not in DERIVED]
        emptied = [f"IF EXISTS (SELECT FROM {name}) THEN DELETE FROM {name}; END IF;" for name in names]
        return ["SET LOCAL session_replication_role = replica", f"DO $$ BEGIN {' '.join(emptied)} END $$"]

    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", only_what_has_rows)
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_by_their_own_names() -> Iterator[None]:
    """Pages are rendered without `collectstatic` before them; the browser tests prove the hashed names."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture
def open_path() -> Iterator[Path]:
    """An empty directory that other accounts can reach, which pytest's own directories are not."""
    path = Path(tempfile.mkdtemp(prefix="novaops-tests-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def nova(request: pytest.FixtureRequest) -> Nova:
    """This worker's simulated Nova; nothing of it runs before a fixture below asks."""
    return request.config.stash[nova_key]


@pytest.fixture(scope="session")
def _nova_database_server(nova: Nova) -> None:
    nova.start_database()


@pytest.fixture
def nova_database(nova: Nova, _nova_database_server: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection to Nova's own database, seeded. Once `sandbox` runs, its event processor writes here too."""
    from novaops.sandbox import seed

    seed.nova_database(os.environ["NOVA_DATABASE_URL"], fresh=True)
    with psycopg.connect(os.environ["NOVA_DATABASE_URL"], autocommit=True) as connection:
        yield connection


@pytest.fixture
def nova_redis(nova: Nova) -> Iterator["redis.Redis"]:
    """A client of Nova's own Redis, empty."""
    nova.start_redis()
    # The simulated failover of an earlier test may still be cutting every client off.
    patient = Retry(ConstantBackoff(0.05), 40)
    with redis.Redis.from_url(os.environ["NOVA_REDIS_URL"], retry=patient) as client:
        client.flushall()
        client.config_resetstat()
        yield client


@pytest.fixture(scope="session")
def sandbox(nova: Nova, _nova_database_server: None) -> Nova:
    """The running simulated AWS of this worker, with Nova's database and Redis behind it."""
    from novaops.sandbox import seed

    nova.start_redis()
    seed.nova_database(os.environ["NOVA_DATABASE_URL"], fresh=True)
    nova.start_server()
    return nova


@pytest.fixture
def aws(sandbox: Nova) -> Nova:
    """The simulated AWS in its seeded, calm state."""
    sandbox.reset()
    return sandbox


@pytest.fixture
def living_aws(sandbox: Nova) -> Nova:
    """The same in a faster world that is measured each second, its event processor a process that really writes."""
    sandbox.reset(factor=60, sample_s=1, processes=True)
    return sandbox


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    Cache.silent_until = 0.0
    cache.clear()


@pytest.fixture
def user_with_role(db: None) -> Callable[[str, str], User]:
    """Makes users: `user_with_role("commander", "grace")`."""

    def make(role: str, username: str) -> User:
        user = User.objects.create_user(username)
        user.groups.add(Group.objects.get_or_create(name=role)[0])
        return user

    return make


@pytest.fixture
def viewer(user_with_role: Callable[[str, str], User]) -> User:
    return user_with_role("viewer", "viewer")


@pytest.fixture
def responder(user_with_role: Callable[[str, str], User]) -> User:
    return user_with_role("responder", "responder")


@pytest.fixture
def commander(user_with_role: Callable[[str, str], User]) -> User:
    return user_with_role("commander", "commander")


@pytest.fixture
def commander2(user_with_role: Callable[[str, str], User]) -> User:
    return user_with_role("commander", "commander2")


@pytest.fixture
def admin(user_with_role: Callable[[str, str], User]) -> User:
    return user_with_role("admin", "admin")


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """Makes a client signed in as that user: `client_of(viewer).get("/")`."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
