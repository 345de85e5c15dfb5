"""Whoever watches NovaOps from outside and raises the alarm when it hears nothing: one plain request a minute."""

import requests

from novaops.cloud.errors import OutsideError

TIMEOUT_S = (3.0, 5.0)


def tell(url: str) -> None:
    """Say that NovaOps lives. Raises OutsideError with a sentence that does not show the address, which is a secret."""
    try:
        with requests.Session() as session:
            # A proxy of the environment would learn the address.
            session.trust_env = False
            answer = session.get(url, timeout=TIMEOUT_S, allow_redirects=False, stream=True)
    except (requests.RequestException, ValueError) as failure:
        raise OutsideError(f"The watchman could not be told ({type(failure).__name__})") from None
    if answer.status_code >= 300:
        raise OutsideError(f"The watchman answered {answer.status_code}")
