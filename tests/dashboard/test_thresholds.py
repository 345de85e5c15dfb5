"""Thresholds: changed by an administrator with an audit entry, tried before on what was collected, and put back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard import alerts, collect, samples, thresholds
from dashboard.models import Alert, Threshold
from dashboard.samples import Key
from dashboard.services.base import services
from novaops.audit.models import Entry

pytestmark = pytest.mark.django_db
URL = "/settings/thresholds/high-cpu/"
CHANGE = {"value": "70", "for_s": "60", "reason": "Black Friday"}


def rule_now(environment):
    found = thresholds.rules(services["api"], environment, thresholds.changed(environment))
    return next(rule for rule in found if rule.key == "high-cpu")


@pytest.fixture
def busy(environment):
    """Half an hour of CPU at 75 %, then five minutes at 20 %, until now."""
    now = timezone.now()
    row = samples.series_of(environment.name, {Key("api", "cpu"): "%"})[Key("api", "cpu")]
    step = timedelta(seconds=environment.metric_period_s)
    points = {(row.pk, now - n * step): 20.0 if n < 60 else 75.0 for n in range(1, 420)}
    samples.write(points, now)
    return now


def test_an_administrator_changes_a_threshold_and_the_audit_has_before_and_after(client_of, admin, environment):
    before = rule_now(environment)
    answer = client_of(admin).post(f"{URL}change", CHANGE, follow=True)
    assert "High CPU: 70 for 60 s, from the next round on." in answer.content.decode()
    assert (rule_now(environment).threshold, rule_now(environment).for_s) == (70, 60)
    entry = Entry.objects.get(verb="threshold.changed")
    assert (entry.actor, entry.subject, entry.environment, entry.reason) == (
        "admin",
        "high-cpu",
        environment.name,
        "Black Friday",
    )
    assert entry.detail == {
        "from": {"threshold": before.threshold, "for_s": before.for_s},
        "to": {"threshold": 70.0, "for_s": 60},
    }
    assert "Black Friday" in answer.content.decode()


def test_the_next_round_judges_by_it(client_of, admin, environment, busy):
    wanted = collect._wanted(environment, {"api": collect.Seen(service=services["api"], before=None)})

    def round_at(now):
        alerts.update(environment.name, collect._watch(environment, wanted, now), now)

    at = busy - 61 * timedelta(seconds=environment.metric_period_s)
    samples_until = samples.window
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            samples,
            "window",
            lambda ids, since: {pk: [p for p in found if p.at < at] for pk, found in samples_until(ids, since).items()},
        )
        round_at(at)
        assert not Alert.objects.exists()
        client_of(admin).post(f"{URL}change", CHANGE)
        round_at(at)
    assert Alert.objects.get().threshold == 70


def test_it_is_put_back_and_both_are_in_the_history(client_of, admin, environment):
    client, declared = client_of(admin), rule_now(environment)
    client.post(f"{URL}change", CHANGE)
    client.post(f"{URL}reset")
    assert rule_now(environment) == declared
    assert not Threshold.objects.exists()
    entries = client.get(URL).context["history"]
    assert [entry.verb for entry in entries] == ["threshold.reset", "threshold.changed"]
    assert entries[0].detail["from"]["threshold"] == 70


@pytest.mark.parametrize("role", ["viewer", "responder", "commander"])
def test_others_look_and_try_but_may_not_change(client_of, user_with_role, role):
    client = client_of(user_with_role(role, role))
    page = client.get(URL, {"value": 10, "for_s": 5}).content.decode()
    assert "Your role may not change settings: ask an admin." in page
    for path in ("change", "reset"):
        assert client.post(f"{URL}{path}", CHANGE).status_code == 403
    assert not Entry.objects.filter(verb__startswith="threshold").exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"value": "170"}, "between 0 and 100"),
        ({"value": "nan"}, "Enter a number"),
        ({"for_s": "0"}, "greater than or equal to 1"),
        ({"for_s": "100000"}, "less than or equal to 86400"),
        ({"reason": " "}, "This field is required"),
    ],
)
def test_what_cannot_be_is_not_saved(client_of, admin, wrong, sentence):
    answer = client_of(admin).post(f"{URL}change", CHANGE | wrong)
    assert sentence in answer.content.decode()
    assert not Threshold.objects.exists()


def test_no_change_is_no_entry(client_of, admin, environment):
    client = client_of(admin)
    for status in (302, 409):
        assert client.post(f"{URL}change", CHANGE).status_code == status
    assert client.post("/settings/thresholds/error-rate/reset").status_code == 409
    assert Entry.objects.filter(verb__startswith="threshold").count() == 1


def test_bytes_are_entered_as_gib(client_of, admin, environment):
    url = "/settings/thresholds/free-storage/"
    assert client_of(admin).get(url).context["form"].initial["value"] == 5
    client_of(admin).post(f"{url}change", {"value": "8", "for_s": "60", "reason": "it grows"})
    assert Threshold.objects.get().value == 8 * 2**30


def test_before_saving_it_says_how_often_it_would_have_fired(client_of, viewer, busy):
    client = client_of(viewer)
    assert client.get(URL).context["current"].times == 0
    tried = client.get(URL, {"value": 70, "for_s": 60})
    trial = tried.context["trial"]
    assert (trial.times, trial.firings[0][1].cleared_at is not None) == (1, True)
    assert "would have fired 1 time since" in tried.content.decode()
    assert "would have fired 0 times since" in tried.content.decode()


def test_without_samples_there_is_nothing_to_try_on(client_of, viewer):
    assert "nothing was collected yet" in client_of(viewer).get(URL).content.decode()


def test_every_rule_is_listed_with_section_causes_and_ranked_actions(client_of, viewer, environment):
    html = client_of(viewer).get("/settings/thresholds/").content.decode()
    rules = [rule for service in services.values() for rule in service.rules_in(environment)]
    for rule in rules:
        assert f"/settings/thresholds/{rule.key}/" in html
    assert "Scale the API server, then Restart the API server<" in html


def test_an_unknown_rule_is_not_found(client_of, admin):
    assert client_of(admin).get("/settings/thresholds/high-cpus/").status_code == 404
