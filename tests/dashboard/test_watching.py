"""What other apps let the dashboard watch: sampled, judged and told as its own."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from dashboard import collect, overview
from dashboard.models import Alert, Latest, Reading
from dashboard.overview import offers_for
from dashboard.services.base import services
from novaops import environment as declared
from novaops import watching
from novaops.environment import Environment, RuleChange
from novaops.sandbox.child import until
from novaops.watching import Note, Told, Watch, Watcher

pytestmark = pytest.mark.django_db(transaction=True)


def watched(_: Environment) -> tuple[Watch, ...]:
    return (
        Watch(
            key="cellar-damp",
            title="Damp in the cellar",
            unit="%",
            says="The cellar is {value:.0f} % damp",
            above=60,
            for_s=1,
            clear_for_s=0,
            severity="warn",
            section="Backup Strategy",
            causes=("rain",),
            offers=("create-snapshot",),
            resources=("north", "south"),
        ),
    )


@pytest.fixture
def told() -> Iterator[dict[tuple[str, str], float]]:
    """What the watcher tells; empty, it breaks."""
    numbers: dict[tuple[str, str], float] = {}

    def read(_environment: Environment, now: datetime) -> Told:
        if not numbers:
            raise ZeroDivisionError
        note = Note(label="Cellar", text="last mopped", state="ok", at=now, url="/cellar/")
        return Told(values=numbers, notes=(note,))

    watching.watchers.append(Watcher(service="database", source="Cellar", watches=watched, read=read))
    yield numbers
    watching.watchers.pop()


def round_of(environment: Environment) -> None:
    assert collect.collect(environment, early=True)


def test_a_number_beyond_its_threshold_is_an_alert_with_its_offers(aws, told, commander):
    environment = declared.default().model_copy(update={"rules": {"cellar-damp": RuleChange(for_s=1)}})
    told.update({("cellar_damp", "north"): 80.0, ("cellar_damp", "south"): 20.0})
    round_of(environment)
    told.update({("cellar_damp", "north"): 81.0})
    assert until(lambda: round_of(environment) or Alert.objects.filter(rule="cellar-damp").exists(), 10)
    assert Latest.objects.get(series__name="cellar_damp", series__resource="south").value == 20
    alert = Alert.objects.get(rule="cellar-damp")
    assert (alert.service, alert.resource, alert.severity) == ("database", "north", "warn")
    assert alert.sentence == "The cellar is 81 % damp (north)"
    assert Reading.objects.get(service="database").values["cellar_damp/north"]["source"] == "Cellar"
    assert [offer.action_key for offer in offers_for([alert], commander, environment)] == ["create-snapshot"]
    shown = overview.build(environment).notes
    assert [(note.label, note.text, note.state) for note in shown] == [("Cellar", "last mopped", "ok")]
    told[("cellar_damp", "north")] = 20.0
    round_of(environment)
    alert.refresh_from_db()
    assert alert.state == "cleared"


def test_a_watcher_that_breaks_loses_only_its_own_numbers(aws, told):
    round_of(declared.default())
    reading = Reading.objects.get(service="database")
    assert "Cellar: the probe itself broke" in reading.failed
    assert "cpu" in reading.values
    assert "cellar_damp/north" not in reading.values


def test_nova_toml_may_change_its_threshold(told):
    changed = declared.default().model_copy(update={"rules": {"cellar-damp": RuleChange(above=90)}})
    rule = next(rule for rule in services["database"].rules_in(changed) if rule.key == "cellar-damp")
    assert rule.threshold == 90
    assert "cellar-damp" in services["database"].every_rule()
