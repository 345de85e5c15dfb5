"""Settings, Webhooks: who may tell NovaOps of trouble, what came of it, what was refused, which topics ask."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from dashboard.hooks import ledger, pagerduty, senders, sns, subscriptions
from dashboard.hooks.ledger import Refusal
from dashboard.hooks.models import Delivery, Subscription
from novaops import environment as declared
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb

LATEST = 30
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Somebody who may tell: where, for which environment, how much came in a day, and the last refusal."""

    name: str
    title: str
    address: str
    environment: str
    ready: bool
    counts: dict[str, object]
    refusal: Refusal | None


@require_GET
@requires(Verb.SETTINGS)
def webhooks(request: HttpRequest) -> HttpResponse:
    """Every source with its last delivery, the latest deliveries, and the topics that ask to be confirmed."""
    context = {
        "sources": list(_sources()),
        "deliveries": Delivery.objects.defer("body").select_related("alert").order_by("-pk")[:LATEST],
        "subscriptions": Subscription.objects.order_by("-asked_at"),
        "now": timezone.now(),
    }
    return render(request, "dashboard/webhooks.html", context)


@require_POST
@requires(Verb.SETTINGS)
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a worker tell AWS that a topic may send to us."""
    one = get_object_or_404(Subscription, pk=pk)
    if subscriptions.accept(one, by=user_of(request)):
        messages.success(request, "AWS is being told.")
    else:
        messages.error(request, "It asks for nothing, or its topic is not allowed any more.")
    return redirect("dashboard:webhooks")


def _sources() -> Iterator[Source]:
    counted = _counts()
    for environment in declared.environments().values():
        hooks = environment.hooks
        known = [(sns.SOURCE, f"SNS: {topic.rpartition(':')[2]}", True) for topic in hooks.topics]
        if hooks.pagerduty_env:
            known.append((pagerduty.SOURCE, "PagerDuty", environment.name in pagerduty.places()))
        known += [(name, f"Webhook: {name}", senders.place(name) is not None) for name in hooks.senders]
        for name, title, ready in known:
            yield Source(
                name=name,
                title=title,
                address=reverse("dashboard:hook", args=[name]),
                environment=environment.title,
                ready=ready,
                counts=counted.get((environment.name, name), {}),
                refusal=ledger.last_refusal(name),
            )


def _counts() -> dict[tuple[str, str], dict[str, object]]:
    """By environment and source: the last delivery, and how many of a day did what."""
    of_day = Q(received_at__gte=timezone.now() - DAY)
    numbers = {state: Count("pk", filter=of_day & Q(state=state)) for state in Delivery.State.values}
    rows = Delivery.objects.values("environment", "source").annotate(last=Max("received_at"), **numbers)
    return {(row["environment"], row["source"]): dict(row) for row in rows}
