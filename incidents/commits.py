"""The exported post-mortem as a commit, where nova.toml names a repository; the export asks, a worker makes it."""

import logging
from functools import partial

from django.db import transaction

from incidents.documents import file_names, is_of
from incidents.guard import Refused, where
from incidents.models import Postmortem
from incidents.timeline import Kind, append
from novaops.audit import chain
from novaops.cloud import git
from novaops.cloud.errors import Ambiguous, NotSent, OutsideError
from novaops.environment import Postmortems

logger = logging.getLogger(__name__)
State = Postmortem.Commit


def waiting() -> list[int]:
    """The post-mortems whose commit is to be made."""
    return list(Postmortem.objects.filter(commit_state=State.WAITING).order_by("pk").values_list("pk", flat=True)[:20])


def carry_out(pk: int) -> None:
    """Make the commit that waits, outside of any transaction; at worst twice, which commits once."""
    postmortem = Postmortem.objects.select_related("incident").filter(pk=pk, commit_state=State.WAITING).first()
    if postmortem is None:
        return
    try:
        place = where(postmortem.incident).postmortems
        made = _commit(postmortem, place)
    except (NotSent, Ambiguous) as failure:
        # Made again it commits once, so that also what may have arrived is simply asked for again.
        logger.warning("The commit of post-mortem %s waits: %s", pk, failure)
        Postmortem.objects.filter(pk=pk, commit_state=State.WAITING).update(commit_sentence=f"{failure}".rstrip("."))
        return
    except (OutsideError, Refused) as failure:
        _end(postmortem, State.FAILED, str(failure))
        return
    _end(postmortem, State.DONE, f"{made.path} on branch {made.branch}.", sha=made.sha, path=made.path)


def _commit(postmortem: Postmortem, place: Postmortems) -> git.Commit:
    if place.repository is None:
        raise Refused("No repository is configured any more.")
    incident = postmortem.incident
    text = postmortem.versions.get(version=postmortem.commit_version or 0).text
    file = git.File(
        folder=place.folder,
        names=file_names(incident, postmortem, place.folder),
        text=text,
        ours=partial(is_of, incident),
    )
    message = f"Post-mortem of {incident.name}: {incident.title}\n\nVersion {postmortem.commit_version}, by NovaOps.\n"
    return git.commit(place.repository, place.branch, file, message)


@transaction.atomic
def _end(postmortem: Postmortem, state: State, sentence: str, *, sha: str = "", path: str = "") -> None:
    """Write the outcome, unless another version was exported meanwhile."""
    row = Postmortem.objects.select_for_update().get(pk=postmortem.pk)
    if (row.commit_state, row.commit_version) != (State.WAITING, postmortem.commit_version):
        return
    row.commit_state, row.commit_sentence = state, sentence
    row.commit_sha, row.commit_path = sha or row.commit_sha, path or row.commit_path
    row.save(update_fields=["commit_state", "commit_sentence", "commit_sha", "commit_path"])
    incident = postmortem.incident
    said = f"committed as {sha[:12]}: {sentence}" if state == State.DONE else f"not committed: {sentence}"
    append(incident, Kind.STATE, f"Post-mortem version {row.commit_version} {said}")
    chain.record(
        "postmortem.committed" if state == State.DONE else "postmortem.not_committed",
        by=None,
        subject=str(incident),
        environment=incident.environment,
        incident=incident.number,
        detail={"version": row.commit_version, "sha": sha, "path": path, "sentence": sentence},
    )
