"""nova.toml: what is right is typed, what is wrong is named together with what is allowed."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from novaops.environment import Environment, default, environments, read

ROOT = Path(__file__).resolve().parent.parent


def example() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "nova.toml").read_text())["environments"]["sandbox"]
    return table


def written(tmp_path: Path, changes: dict[str, Any]) -> Path:
    """A nova.toml with the example's text and lines appended that change single keys."""
    text = (ROOT / "nova.toml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "nova.toml"
    path.write_text(text)
    return path


def test_the_example_names_every_placeholder_of_the_runbook() -> None:
    sandbox = default()
    assert sandbox.api.on_ecs.cluster == "nova"
    assert sandbox.database.instance_id == "nova-db"
    assert (sandbox.cache.replication_group_id, sandbox.cache.node_group_id) == ("nova-cache", "0001")
    assert sandbox.events.service == "nova-event-processor"
    assert sandbox.contacts.slack_channel == "#nova-incidents"
    assert list(environments()) == ["sandbox"]


@pytest.mark.parametrize("kind", ["api", "database", "cache", "events"])
def test_every_service_has_a_target(kind: str) -> None:
    assert default().target(kind)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        pytest.param(
            'kind = "ecs"', 'kind = "eks"', "environments.sandbox.api.kind: Input should be 'ecs' or 'ec2'", id="enum"
        ),
        pytest.param('kind = "ecs"', 'kind = "ec2"', "the table api.ec2 is required", id="table"),
        pytest.param('instance_id = "nova-db"', "", "database.instance_id is required", id="missing"),
        pytest.param(
            'service = "nova-api"', 'servise = "nova-api"', "environments.sandbox.api.ecs.servise: Extra", id="typo"
        ),
        pytest.param(
            "detect_s = 300", "detect_s = 1", "environments.sandbox.drills.detect_s: Input should", id="drill"
        ),
        pytest.param("resolve_s = 2400", "resolve_s = 60", "drills: resolve_s must not be shorter", id="drill order"),
        pytest.param(
            "production = false",
            'production = false\ntime_zone = "Nova/Town"',
            "environments.sandbox.time_zone: there is no time zone 'Nova/Town': use a name such as Europe/Berlin",
            id="time zone",
        ),
        pytest.param('region = "eu-west-1"', 'region = "Ireland"', "environments.sandbox.region", id="region"),
        pytest.param(
            "collect_every_s = 5", "collect_every_s = 0", "collect_every_s: Input should be greater", id="bound"
        ),
        pytest.param(
            "${NOVA_RPC_URL}", "ftp://rpc", "events.rpc_url: URL scheme should be 'http' or 'https'", id="url"
        ),
        pytest.param(
            "${NOVA_RPC_URL}", "${NOVA_NOWHERE}", "environment variable NOVA_NOWHERE is not set", id="variable"
        ),
        pytest.param('"#nova-incidents"', '"nova incidents"', "contacts.slack_channel", id="channel"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as wrong:
        read(written(tmp_path, {old: new}))
    assert sentence in str(wrong.value)


def test_a_post_mortem_folder_cannot_leave_its_root(tmp_path: Path) -> None:
    path = tmp_path / "nova.toml"
    path.write_text(
        (ROOT / "nova.toml").read_text() + '\n[environments.sandbox.postmortems]\nfolder = "docs/../../etc"\n'
    )
    with pytest.raises(ImproperlyConfigured, match="must not contain"):
        read(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "declares no"),
        ("environments = 3", "declares no"),
        ("[environments", "not valid TOML"),
        ("[environments]\nx=1", "x"),
    ],
)
def test_a_file_that_is_no_declaration_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "nova.toml"
    path.write_text(text)
    with pytest.raises(ImproperlyConfigured, match=sentence):
        read(path)


def test_a_missing_file_says_which_setting_names_it(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="NOVAOPS_NOVA_TOML"):
        read(tmp_path / "nowhere.toml")


def test_values_cannot_be_changed_after_reading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        default().title = "Another"  # type: ignore[misc]


def test_a_secret_is_read_from_the_variable_it_names_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_DATABASE_URL", "postgres://nova:hunter2@db/nova")
    assert default().database.dsn.endswith("@db/nova")
    assert "hunter2" not in repr(default())


def test_the_example_is_what_an_environment_accepts() -> None:
    assert set(example()) - {"rules"} <= set(Environment.model_fields)


def test_a_token_is_not_sent_in_the_clear(tmp_path: Path) -> None:
    path = written(tmp_path, {'api_url = "${SLACK_API_URL}"': 'api_url = "http://slack.example/api/"'})
    with pytest.raises(ImproperlyConfigured, match="api_url must begin with https://"):
        read(path)


def test_a_status_page_that_is_told_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"contacts\.status_page_id is required"):
        read(written(tmp_path, {'status_page_id = "novastatus"': ""}))
