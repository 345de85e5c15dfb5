"""What every table of nova.toml is built from, and the tables of the systems that are told and that tell."""

import os
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, model_validator


def _known_zone(name: str) -> str:
    """A name of the time zone database, which knows of every change of its clocks."""
    if name not in available_timezones():
        raise ValueError(f"there is no time zone {name!r}: use a name such as Europe/Berlin")
    return name


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,79}$")]
ServiceKind = Literal["api", "database", "cache", "events"]
TopicArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$")]
Seconds = Annotated[int, Field(ge=10, le=86400)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
SERVICE_KINDS: tuple[ServiceKind, ...] = ("api", "database", "cache", "events")


class Declared(BaseModel):
    """Base of every table in nova.toml: unknown keys are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(Declared):
    """A system that NovaOps tells: where it is reached, and the name of the variable that holds its token."""

    token_env: EnvName
    api_url: HttpUrl

    @model_validator(mode="after")
    def _token_is_not_sent_in_the_clear(self) -> "Told":
        if self.api_url.scheme != "https" and self.api_url.host not in ("127.0.0.1", "localhost"):
            raise ValueError("api_url must begin with https://")
        return self

    @property
    def token(self) -> str:
        """The token, empty where the variable is not set."""
        return os.environ.get(self.token_env, "")

    @property
    def base_url(self) -> str:
        """The address that paths are added to, without a slash at its end."""
        return str(self.api_url).rstrip("/")


class Slack(Told):
    """The Slack workspace. `signing_secret_env` names the variable by which Slack's own requests are proved."""

    api_url: HttpUrl = HttpUrl("https://slack.com/api/")
    signing_secret_env: EnvName | None = None

    @property
    def signing_secret(self) -> str:
        """The signing secret, empty where none is named or set."""
        return os.environ.get(self.signing_secret_env or "", "")


class StatusPage(Told):
    """The status page's provider; `components` says which of its components shows which service."""

    api_url: HttpUrl = HttpUrl("https://api.statuspage.io/v1")
    components: dict[ServiceKind, Name] = Field(default_factory=dict)


class PagerDuty(Told):
    """PagerDuty's REST API; `from_email` is the account in whose name incidents are changed."""

    api_url: HttpUrl = HttpUrl("https://api.pagerduty.com")
    from_email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=255)]


class Hooks(Declared):
    """Who else may tell NovaOps of trouble: SNS topics, the queue behind them, PagerDuty, programs of your own.

    `pagerduty_env` and the values of `senders` name environment variables with one or two secrets each.
    """

    topics: tuple[TopicArn, ...] = ()
    queue_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")] | None = None
    pagerduty_env: EnvName | None = None
    senders: dict[Slug, EnvName] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_free(self) -> "Hooks":
        taken = sorted(self.senders.keys() & {"sns", "pagerduty"})
        if taken:
            raise ValueError(f"a sender cannot be called {taken[0]}: that address is taken")
        return self


class Drills(Declared):
    """Within how long a rehearsed incident is to be detected, taken, mitigated and resolved; the score compares."""

    detect_s: Seconds = 300
    acknowledge_s: Seconds = 300
    mitigate_s: Seconds = 1200
    resolve_s: Seconds = 2400

    @model_validator(mode="after")
    def _mitigated_before_resolved(self) -> "Drills":
        if self.resolve_s < self.mitigate_s:
            raise ValueError("resolve_s must not be shorter than mitigate_s: both count from the detection")
        return self


class UrlPlace(Declared):
    """Where Nova's DATABASE_URL stands: a secret or a parameter, or a variable of the task definitions themselves.

    `key` is the key inside of a secret that is a JSON document. The value is a URL, or the host alone; only its host
    and port are ever changed. `services` read it, and are redeployed in this order.
    """

    kind: Literal["secret", "parameter", "variable"]
    name: Name
    key: Name | None = None
    services: tuple[Literal["api", "events"], ...] = ("api", "events")

    @model_validator(mode="after")
    def _key_is_of_a_secret(self) -> "UrlPlace":
        if self.key and self.kind != "secret":
            raise ValueError("only a secret has keys")
        return self


class Restores(Declared):
    """How restored instances are reached and judged, what they cost, and in whose name restores are rehearsed.

    `dsn_env` names a variable with a connection string in which `{instance}`, `{host}` and `{port}` are filled in;
    without it they are reached as production, at their own host. `newest_by` says which column of a key table tells
    when a row came. Prices are in US dollars: an hour of a class in one zone, a GiB of storage for a month.
    """

    dsn_env: EnvName | None = None
    newest_by: dict[Name, Name] = Field(default_factory=dict)
    class_usd_an_hour: dict[Name, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    storage_usd_a_gib_month: Annotated[float, Field(gt=0)] | None = None
    drill_by: Name | None = None

    @property
    def dsn_template(self) -> str:
        """The connection string with its gaps, empty where none is declared."""
        return os.environ.get(self.dsn_env, "") if self.dsn_env else ""
