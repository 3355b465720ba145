"""Static access keys, and where a target's credentials come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from gateway.config.value_types import KEY_ID, SECRET

DEFAULT_REGION = "us-east-1"

# Keys of AWS's documentation and test suites, and of lakeFS's quickstart.
EXAMPLE_IDS = frozenset(
    (
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAI44QH8DHBEXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "AKIDEXAMPLE",
        "AKIAIOSFOLKFSSAMPLES",
    )
)
EXAMPLE_SECRETS = frozenset(
    (
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
    )
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A static access key."""

    access_key_id: str
    secret_access_key: SecretStr


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """Where a target's credentials come from: a static pair, botocore's chain, or a role.

    Without `keys` botocore's chain is asked, with `aws_profile` if one is given. With `role_arn`
    the result is exchanged for the role's credentials at STS in `region`.
    """

    keys: KeyPair | None = None
    aws_profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    region: str = DEFAULT_REGION

    @property
    def static(self) -> KeyPair | None:
        """The pair that signs requests, if it is known without asking anybody."""
        return self.keys if self.role_arn is None else None


def is_published(keys: KeyPair) -> bool:
    """Whether the pair stands in public documentation."""
    secret = keys.secret_access_key.get_secret_value()
    return keys.access_key_id in EXAMPLE_IDS or secret in EXAMPLE_SECRETS


def ambient_pair(environ: Mapping[str, str]) -> KeyPair | None:
    """The static pair of the environment. One with a session token expires, so it is none."""
    key_id = environ.get("AWS_ACCESS_KEY_ID", "")
    secret = environ.get("AWS_SECRET_ACCESS_KEY", "")
    token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
    if token or not re.fullmatch(KEY_ID, key_id) or not re.fullmatch(SECRET, secret):
        return None
    return KeyPair(key_id, SecretStr(secret))
