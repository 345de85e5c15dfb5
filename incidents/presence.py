"""Who looks at an incident now: told by their open pages, forgotten half a minute after the last of them closed."""

from django.contrib.auth.models import User

from incidents.models import Incident
from novaops import live

# Three beats of an open page (templates/incidents/_here.html).
LEFT_AFTER_S = 35.0


def here(incident: Incident, user: User) -> list[str] | None:
    """Who looks at it, `user` among them; None where Redis, which alone knows, does not answer."""
    return live.here(f"incident:{incident.number}", user.get_username(), LEFT_AFTER_S)
