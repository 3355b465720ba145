"""Reads the section `admin`: the token of the admin plane, and what would open it to others.

Rules: no message holds the token.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.config.addresses import Listen
from gateway.config.certificates import read_pair
from gateway.config.problems import Path
from gateway.config.reading import Reader
from gateway.config.schema import Admin, Router
from gateway.config.secrets import Files
from gateway.config.value_types import SECRET

# Whoever may guess has as many tries as the listener takes: some thousand in a second.
MIN_CHARACTERS: Final = 16
MAKE_ONE: Final = "make one with: openssl rand -hex 32"

_PATH: Path = ("admin",)
_TOKEN, _TOKEN_FILE = (*_PATH, "token"), (*_PATH, "token_file")


def read_admin(reader: Reader, files: Files, router: Router) -> Admin:
    """Returns the section with what its files hold."""
    section = reader.read(Admin, _PATH) or Admin()
    token = _token(reader, files, section)
    tls = None
    if section.tls is not None:
        tls = read_pair(reader, files, section.tls, (*_PATH, "tls"))
    address = router.admin_address
    if not isinstance(address, Listen):
        if reader.tree.get(_PATH) is not None:
            message = "means nothing: router.admin_address is off"
            reader.warn(_PATH, message, "leave one of the two out")
    elif not address.loopback and token is not None and section.tls is None:
        message = f"clients send the token in clear text to {address}, beyond this machine"
        reader.warn(_TOKEN if section.token is not None else _TOKEN_FILE, message, "add admin.tls")
    return section.resolved(token, tls)


def _token(reader: Reader, files: Files, section: Admin) -> str | None:
    """Returns the token; None without one, or after reporting a problem."""
    if section.token is not None and section.token_file is not None:
        reader.error(_TOKEN_FILE, "is given together with token")
        return None
    if section.token_file is not None:
        token, at = files.line(section.token_file, _TOKEN_FILE), _TOKEN_FILE
    else:
        given = section.token
        token, at = None if given is None else given.get_secret_value(), _TOKEN
    if token is None:
        return None
    if not re.fullmatch(SECRET, token):
        reader.error(at, "must be printable ASCII without spaces at its ends", MAKE_ONE)
    elif len(token) < MIN_CHARACTERS:
        reader.error(at, f"has less than {MIN_CHARACTERS} characters", MAKE_ONE)
    return token
