"""From the `targets` of a tree to the targets of the model.

Rules: what is missing is an error for a target that a request can reach, a warning for others; keys
are never guessed for a target that is not AWS.

Not here: routing (`checks`), asking anybody for credentials (`gateway.control.credentials`).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from fastpath.limits import PoolLimits, Timeouts
from fastpath.routing.profiles import FORGETS, PROFILES, Profile, with_overrides
from gateway.config import schema
from gateway.config.addresses import Endpoint, Listen, same_place
from gateway.config.capabilities import capabilities, differences, lost_safeties
from gateway.config.model import CredentialSource, Target, TLSMaterial
from gateway.config.pairs import ambient_pair, key_pair
from gateway.config.problems import Path
from gateway.config.reading import Reader
from gateway.config.secrets import Files

ALWAYS = ("lakefs", "s3")  # targets that exist without being configured
DEFAULT_REGION = "us-east-1"

_VARIABLES = {
    ("lakefs", "endpoint"): "LAKEFS_ENDPOINT",
    ("lakefs", "access_key_id"): "LAKEFS_ACCESS_KEY_ID",
    ("lakefs", "secret_access_key"): "LAKEFS_SECRET_ACCESS_KEY",
}


class TargetReader:
    """Reads targets one by one; `reached` says by which path of the tree each can be reached."""

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
        """Every target that can be reached and is in order."""
        configured = self._reader.members(("targets",))
        found: dict[str, Target] = {}
        for name in dict.fromkeys((*configured, *ALWAYS)):
            target = self._target(name)
            if target is None:
                continue
            self._refuse_circle(target, domains)
            if name in self._reached:
                found[name] = target
        return found

    def _target(self, name: str) -> Target | None:
        path: Path = ("targets", name)
        if not self._name_is_plain(name, path):
            return None
        section = self._reader.read(schema.Target, path)
        if section is None:
            return None
        profile = section.profile or (name if name in ALWAYS else "generic")
        region = section.region or DEFAULT_REGION
        can = self._profile(section, path, profile)
        endpoint = section.endpoint or _aws_endpoint(profile, region)
        source = self._source(section, path, profile, region)
        tls = self._tls(section, path, endpoint)
        self._report_missing(name, section, profile, endpoint, source)
        if endpoint is None:
            return None
        if profile == "s3" and section.region is None and section.endpoint is None:
            self._warn_region(name, path)
        return Target(
            name=name,
            profile=profile,
            overrides=differences(PROFILES[profile], capabilities(can)),
            virtual=self._virtual(section, path, endpoint, can),
            forgets=self._forgets(section, path, can),
            endpoint=endpoint,
            region=region,
            source=source,
            tls=tls,
            pool=PoolLimits(**section.pool.model_dump()),
            timeouts=Timeouts(**section.timeouts.model_dump()),
        )

    def _name_is_plain(self, name: str, path: Path) -> bool:
        plain = name.replace("-", "").replace("_", "")
        if plain.isascii() and plain.isalnum() and len(name) <= 64:
            return True
        self._reader.error(path, "a target's name is letters, digits, - and _", key=True)
        return False

    def _warn_region(self, name: str, path: Path) -> None:
        if name not in self._reached:
            return
        hint = "set region or AWS_REGION" if name == "s3" else "set region"
        self._reader.warn((*path, "region"), f"is not set, {DEFAULT_REGION} is assumed", hint)

    # What it can do

    def _profile(self, section: schema.Target, path: Path, profile: str) -> Profile:
        """The profile with its overrides; a warning for each that leaves a check to nobody."""
        shipped = PROFILES[profile]
        overrides = section.profile_overrides
        given = {name: getattr(overrides, name) for name in overrides.model_fields_set}
        changed = with_overrides(shipped, given)
        for name, message in lost_safeties(shipped, changed):
            at = (*path, "profile_overrides", name)
            self._reader.warn(at, message, "ask the target: s3gateway probe")
        return changed

    def _virtual(
        self, section: schema.Target, path: Path, endpoint: Endpoint, can: Profile
    ) -> bool:
        """Whether the Host names the bucket; `auto` is yes where target and endpoint can do it."""
        named = not endpoint.is_address
        if section.addressing == "virtual" and not named:
            message = "needs an endpoint with a name: an IP address has no names below it"
            self._reader.error((*path, "addressing"), message, "use path")
        if section.addressing == "auto":
            return named and can.virtual_hosts
        return section.addressing == "virtual"

    def _forgets(self, section: schema.Target, path: Path, can: Profile) -> str:
        if section.forgets is not None and can.dialect is None:
            message = "has no effect: a target of this profile is sent every header"
            self._reader.warn((*path, "forgets"), message)
        return section.forgets or FORGETS[0]

    # Credentials

    def _source(
        self, section: schema.Target, path: Path, profile: str, region: str
    ) -> CredentialSource | None:
        """How its credentials are found; None when nothing is said and nothing may be assumed."""
        keys = key_pair(section, path, self._reader, self._files)
        if section.external_id and not section.role_arn:
            self._reader.error((*path, "external_id"), "is of no use without role_arn")
        if section.aws_profile and _says_keys(section):
            hint = "give either keys or a profile"
            self._reader.error((*path, "aws_profile"), "is given together with keys", hint)
        chain = profile == "s3" or section.aws_profile or section.role_arn
        if keys is None and (not chain or _says_keys(section)):
            return None
        if keys is None and not section.aws_profile and not section.role_arn:
            keys = ambient_pair(self._environ)
        return CredentialSource(
            keys=keys,
            aws_profile=section.aws_profile,
            role_arn=section.role_arn,
            external_id=section.external_id,
            region=region,
        )

    def _report_missing(
        self,
        name: str,
        section: schema.Target,
        profile: str,
        endpoint: Endpoint | None,
        source: CredentialSource | None,
    ) -> None:
        missing = ["endpoint"] if endpoint is None else []
        if source is None and not _says_keys(section):
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

    def _tls(
        self, section: schema.Target, path: Path, endpoint: Endpoint | None
    ) -> TLSMaterial | None:
        settings = section.tls
        path = (*path, "tls")
        if endpoint is None or endpoint.scheme != "https":
            if settings is not None and endpoint is not None:
                self._reader.error(path, "is of no use with an http:// endpoint", key=True)
            return None
        if settings is None:
            return TLSMaterial()
        if not settings.verify:
            self._reader.warn((*path, "verify"), "the target's certificate is not checked")
        if (settings.cert_file is None) != (settings.key_file is None):
            self._reader.error(path, "cert_file and key_file belong together", key=True)
        texts: dict[str, str | None] = {"ca": None, "cert": None, "key": None}
        for part in texts:
            name = getattr(settings, f"{part}_file")
            if name is not None:
                texts[part] = self._files.text(name, (*path, f"{part}_file"))
        self._check_pems(settings, path, texts)
        names = settings.model_dump(include={f"{part}_file" for part in texts}, exclude_none=True)
        return TLSMaterial(settings.verify, texts["ca"], texts["cert"], texts["key"], names)

    def _check_pems(self, settings: schema.TLS, path: Path, texts: dict[str, str | None]) -> None:
        """OpenSSL's own opinion, here rather than at the first connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if texts["ca"] is not None:
            try:
                context.load_verify_locations(cadata=texts["ca"])
            except (ssl.SSLError, ValueError):
                self._reader.error((*path, "ca_file"), "holds no usable PEM certificate")
        if texts["cert"] is None or texts["key"] is None:
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

    def _refuse_circle(self, target: Target, domains: tuple[str, ...]) -> None:
        path: Path = ("targets", target.name, "endpoint")
        for listen in self._listen:
            if same_place(target.endpoint, listen):
                self._reader.error(path, f"is the gateway's own address {listen}")
                return
        if target.endpoint.host in domains:
            self._reader.warn(path, "is one of the gateway's own domains")


def _says_keys(section: schema.Keys) -> bool:
    return any(
        (
            section.access_key_id,
            section.access_key_id_file,
            section.secret_access_key,
            section.secret_access_key_file,
        )
    )


def _aws_endpoint(profile: str, region: str) -> Endpoint | None:
    if profile != "s3":
        return None
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return Endpoint("https", f"s3.{region}.{suffix}", 443)


def _all_of(words: list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
