"""Reads the targets and resolves their defaults, keys and certificates.

Rules: a missing setting is an error if a request can reach the target, else a warning; only a
target that is AWS uses keys that are not given for it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from fastpath.routing.profiles import PROFILES, Profile, with_overrides
from gateway.config.addresses import Endpoint, Listen, is_listener
from gateway.config.capabilities import capabilities, differences, lost_safeties
from gateway.config.credential_sources import DEFAULT_REGION, KeyPair, ambient_pair
from gateway.config.problems import Path
from gateway.config.reading import Reader
from gateway.config.schema import TLS, ProfileOverrides, Target
from gateway.config.secrets import Files, key_pair
from gateway.config.yaml_tree import BUILT_IN_TARGETS

_VARIABLES = {
    ("lakefs", "endpoint"): "LAKEFS_ENDPOINT",
    ("lakefs", "access_key_id"): "LAKEFS_ACCESS_KEY_ID",
    ("lakefs", "secret_access_key"): "LAKEFS_SECRET_ACCESS_KEY",
}


class TargetReader:
    """Reads targets one by one; `reached` has the path of the tree that leads to each."""

    def __init__(
        self,
        reader: Reader,
        files: Files,
        environ: Mapping[str, str],
        listen: tuple[Listen, ...],
        reached: Mapping[str, Path],
    ) -> None:
        self._reader = reader
        self._files = files
        self._environ = environ
        self._listen = listen
        self._reached = reached

    def read_all(self, domains: tuple[str, ...]) -> dict[str, Target]:
        """Reads and resolves the targets; returns those that requests can reach.

        An upload stays at its target when a reload sends its bucket elsewhere, so that whatever is
        written, and complete, can be reached.
        """
        configured = self._reader.members(("targets",))
        found: dict[str, Target] = {}
        for name in dict.fromkeys((*configured, *BUILT_IN_TARGETS)):
            target = self._target(name)
            if target is None or target.endpoint is None:
                continue
            self._refuse_circle(name, target.endpoint, domains)
            is_written = ("targets", name) in self._reader.tree.values
            if name in self._reached or (is_written and target.source is not None):
                found[name] = target
        return found

    def _target(self, name: str) -> Target | None:
        path: Path = ("targets", name)
        if not self._name_is_plain(name, path):
            return None
        section = self._reader.read(Target, path)
        if section is None:
            return None
        profile = section.profile or (name if name in BUILT_IN_TARGETS else "generic")
        can = self._profile(section, path, profile)
        endpoint = section.endpoint or _aws_endpoint(profile, section.region)
        keys = self._keys(section, path, profile)
        tls = self._tls(section, path, endpoint)
        target = section.resolved(keys, profile=profile, endpoint=endpoint, tls=tls)
        self._report_missing(name, section, target)
        if endpoint is None:
            return None
        if profile == "s3" and section.endpoint is None:
            self._warn_region(name, path, section)
        addressing = self._addressing(section, path, endpoint, can)
        self._warn_forgets(section, path, can)
        overrides: dict[str, Any] = differences(PROFILES[profile], capabilities(can))
        return target.model_copy(
            update={
                "addressing": addressing,
                "profile_overrides": ProfileOverrides.model_construct(**overrides),
            }
        )

    def _name_is_plain(self, name: str, path: Path) -> bool:
        plain = name.replace("-", "").replace("_", "")
        if plain.isascii() and plain.isalnum() and len(name) <= 64:
            return True
        self._reader.error(path, "a target's name is letters, digits, - and _", key=True)
        return False

    def _warn_region(self, name: str, path: Path, section: Target) -> None:
        if "region" in section.model_fields_set or name not in self._reached:
            return
        hint = "set region or AWS_REGION" if name == "s3" else "set region"
        self._reader.warn((*path, "region"), f"is not set, {DEFAULT_REGION} is assumed", hint)

    # Capabilities

    def _profile(self, section: Target, path: Path, profile: str) -> Profile:
        """Applies the overrides to the profile, and warns of each that removes a check."""
        shipped = PROFILES[profile]
        changed = with_overrides(shipped, section.profile_overrides.given)
        for name, message in lost_safeties(shipped, changed):
            at = (*path, "profile_overrides", name)
            self._reader.warn(at, message, "ask the target: s3gateway probe")
        return changed

    def _addressing(self, section: Target, path: Path, endpoint: Endpoint, can: Profile) -> str:
        """Resolves `auto`, which is `virtual` if both the target and its endpoint allow it."""
        named = not endpoint.is_address
        if section.addressing == "virtual" and not named:
            message = "needs an endpoint with a name: an IP address has no names below it"
            self._reader.error((*path, "addressing"), message, "use path")
        if section.addressing == "auto":
            return "virtual" if named and can.virtual_hosts else "path"
        return section.addressing

    def _warn_forgets(self, section: Target, path: Path, can: Profile) -> None:
        if "forgets" in section.model_fields_set and can.dialect is None:
            message = "has no effect: a target of this profile is sent every header"
            self._reader.warn((*path, "forgets"), message)

    # Credentials

    def _keys(self, section: Target, path: Path, profile: str) -> KeyPair | None:
        """Reads the static pair; a target that is AWS may have that of the environment."""
        keys = key_pair(section, path, self._reader, self._files)
        if section.external_id and not section.role_arn:
            self._reader.error((*path, "external_id"), "is of no use without role_arn")
        if section.aws_profile and section.names_keys:
            hint = "give either keys or a profile"
            self._reader.error((*path, "aws_profile"), "is given together with keys", hint)
        elsewhere = section.names_keys or section.aws_profile or section.role_arn
        if keys is None and profile == "s3" and not elsewhere:
            return ambient_pair(self._environ)
        return keys

    def _report_missing(self, name: str, section: Target, target: Target) -> None:
        missing = ["endpoint"] if target.endpoint is None else []
        if target.source is None and not section.names_keys:
            missing += ["access_key_id", "secret_access_key"]
        if not missing:
            return
        path: Path = ("targets", name)
        message = f"{_all_of(missing)} {'is' if len(missing) == 1 else 'are'} not set"
        variables = [_VARIABLES.get((name, setting), "") for setting in missing]
        hint = f"set {_all_of(variables)} or write it here" if all(variables) else ""
        if name not in self._reached:
            absent = path not in self._reader.tree.values
            self._reader.warn(path, f"{message}; no rule leads here", tolerated=absent)
        elif self._reader.tree.place(path) is not None:
            self._reader.error(path, message, hint, key=True)
        else:
            place = self._reader.place(self._reached[name])
            self._reader.error_at(place, path, message, hint)

    # TLS

    def _tls(self, section: Target, path: Path, endpoint: Endpoint | None) -> TLS | None:
        settings = section.tls
        path = (*path, "tls")
        if endpoint is None or endpoint.scheme != "https":
            if settings is not None and endpoint is not None:
                self._reader.error(path, "is of no use with an http:// endpoint", key=True)
            return None
        if settings is None:
            return TLS.model_construct()
        if not settings.verify:
            self._reader.warn((*path, "verify"), "the target's certificate is not checked")
        if (settings.cert_file is None) != (settings.key_file is None):
            self._reader.error(path, "cert_file and key_file belong together", key=True)
        tls = settings.with_texts(
            {
                setting: self._files.text(name, (*path, setting))
                for setting in ("ca_file", "cert_file", "key_file")
                if (name := getattr(settings, setting)) is not None
            }
        )
        self._check_pems(tls, path)
        return tls

    def _check_pems(self, settings: TLS, path: Path) -> None:
        """Asks OpenSSL here rather than at the first connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if settings.ca_pem is not None:
            try:
                context.load_verify_locations(cadata=settings.ca_pem)
            except (ssl.SSLError, ValueError):
                self._reader.error((*path, "ca_file"), "holds no usable PEM certificate")
        if settings.cert_pem is None or settings.key_pem is None:
            return
        try:
            context.load_cert_chain(
                self._files.resolve(str(settings.cert_file)),
                self._files.resolve(str(settings.key_file)),
                password=lambda: "",  # without it OpenSSL asks the terminal
            )
        except (ssl.SSLError, ValueError, OSError):
            message = "certificate and key are not a usable PEM pair"
            self._reader.error((*path, "cert_file"), message)

    # Circles

    def _refuse_circle(self, name: str, endpoint: Endpoint, domains: tuple[str, ...]) -> None:
        path: Path = ("targets", name, "endpoint")
        for listen in self._listen:
            if is_listener(endpoint, listen):
                remedy = "give the store's, or unset a variable that is for clients"
                self._reader.error(path, f"is the gateway's own address {listen}: {remedy}")
                return
        if endpoint.host in domains:
            self._reader.warn(path, "is one of the gateway's own domains")


def _aws_endpoint(profile: str, region: str) -> Endpoint | None:
    if profile != "s3":
        return None
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return Endpoint("https", f"s3.{region}.{suffix}", 443)


def _all_of(words: list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
