"""Makes the configuration of the demo's gateway: two servers and the seed's rules.

Rules: the client's key pair is none of the servers' own, so that the demo shows a gateway which
verifies one signature and makes another; secrets are random for each run.
"""

from __future__ import annotations

import json
import secrets

from gateway.demo.seaweed import Keys

# The rules of the seed's basic configuration, word for word.
RULES = """\
routing:
  rules:
    - pattern: "lakefs-*"
      target: "lakefs"
    - pattern: "versioned-*"
      target: "lakefs"
    - pattern: "*"
      target: "s3"
  # Default fallback
  default_target: "s3"
"""


def new_keys(name: str) -> Keys:
    """Return a key pair that no one else has."""
    return Keys(f"{name}-{secrets.token_hex(4)}", secrets.token_hex(20))


def configuration(client: Keys, targets: dict[str, tuple[str, Keys]], port: int) -> str:
    """Return the YAML text: `targets` maps a name to its endpoint and the keys used there."""
    lines = [
        "router:",
        f"  listen_address: {_text(f'127.0.0.1:{port}')}",
        "  workers: 2",
        "auth:",
        "  identities:",
        '    - name: "demo"',
        *_keys(client, "      "),
        "targets:",
    ]
    for name, (endpoint, keys) in targets.items():
        lines += [
            f"  {name}:",
            '    profile: "seaweedfs"',
            f"    endpoint: {_text(endpoint)}",
            '    region: "us-east-1"',
            *_keys(keys, "    "),
        ]
    return "\n".join([*lines, RULES])


def _keys(keys: Keys, indent: str) -> list[str]:
    return [
        f"{indent}access_key_id: {_text(keys.access_key_id)}",
        f"{indent}secret_access_key: {_text(keys.secret_access_key)}",
    ]


def _text(value: str) -> str:
    return json.dumps(value)  # a JSON string is a YAML string
