"""Giving and taking a role from the command line, with its audit entry."""

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from novaops.access.policy import Verb, can
from novaops.audit.models import Entry

pytestmark = pytest.mark.django_db


def test_a_role_is_given_and_taken_and_both_are_audited() -> None:
    user = User.objects.create_user("grace")
    call_command("role", "grace", "responder")
    assert can(User.objects.get(pk=user.pk), Verb.JOIN)
    call_command("role", "grace", "responder", "--remove")
    assert not can(User.objects.get(pk=user.pk), Verb.JOIN)
    entries = Entry.objects.order_by("seq").values_list("verb", "subject")
    assert list(entries) == [("role.given", "grace: responder"), ("role.removed", "grace: responder")]


def test_an_unknown_account_or_role_changes_nothing() -> None:
    with pytest.raises(CommandError, match="no account 'nobody'"):
        call_command("role", "nobody", "viewer")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("role", "nobody", "king")
    assert not Entry.objects.exists()
