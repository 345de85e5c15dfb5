"""Who may do what: denied unless granted, in one place."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from novaops import environment as environments
from novaops.access.models import Grant
from novaops.access.policy import ROLES, Verb, can

MATRIX = [(role, verb, verb in verbs) for role, verbs in ROLES.items() for verb in Verb]


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "verb", "allowed"), MATRIX)
def test_each_role_may_exactly_what_is_declared(
    user_with_role: Callable[[str, str], User], role: str, verb: Verb, allowed: bool
) -> None:
    verdict = can(user_with_role(role, "someone"), verb, environments.default())
    assert verdict.allowed is allowed
    assert bool(verdict.sentence) is not allowed


@pytest.mark.django_db
def test_an_administrator_cannot_run_anything(admin: User) -> None:
    assert not any(
        can(admin, verb) for verb in (Verb.RUN_SAFE, Verb.RUN_DISRUPTIVE, Verb.RUN_DESTRUCTIVE, Verb.APPROVE)
    )


@pytest.mark.django_db
@pytest.mark.parametrize("verb", list(Verb))
def test_a_stranger_and_a_user_without_a_role_may_nothing(verb: Verb) -> None:
    assert not can(AnonymousUser(), verb)
    assert not can(User.objects.create_user("nobody"), verb)


@pytest.mark.django_db
def test_a_deactivated_user_may_nothing(commander: User) -> None:
    commander.is_active = False
    assert not can(commander, Verb.VIEW)


@pytest.mark.django_db
def test_a_grant_can_be_limited_to_one_environment() -> None:
    user, group = User.objects.create_user("guest"), Group.objects.create(name="staging-only")
    user.groups.add(group)
    Grant.objects.create(group=group, environment="staging", verb=Verb.RUN_SAFE)
    here = environments.default()
    assert not can(user, Verb.RUN_SAFE, here)
    assert can(user, Verb.RUN_SAFE, here.model_copy(update={"name": "staging"}))


@pytest.mark.django_db
def test_the_refusal_names_who_could(viewer: User) -> None:
    assert can(viewer, Verb.COMMAND).sentence == "Your role may not command incidents: ask a commander."
