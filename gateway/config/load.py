"""Loads a configuration from launch settings, environment and file, or tells every problem.

    file -> documents -> the chosen ones --+
    environment variables -----------------+-> one tree -> ${VAR} -> sections -> checks -> Config
    flags ---------------------------------+

Rules: nothing uses the network, so `check` is quick and repeatable; problems are values, never
exceptions; there is a configuration only if there is no error.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import chain_targets, chains, layers, rules, shared_names, unreachable_rules
from gateway.config.addresses import Listen
from gateway.config.admin import read_admin
from gateway.config.certificates import read_served_tls
from gateway.config.cpu_count import usable_processors
from gateway.config.custom_router import CUSTOM, checked, nameable_targets, read_custom
from gateway.config.identities import implicit_identities, read_identities
from gateway.config.problems import Path as Setting
from gateway.config.problems import Place, Problem, Problems, one_of
from gateway.config.reading import Reader
from gateway.config.schema import Auth, Config, Cors, Identity, Router, Routing, Target
from gateway.config.seal_keys import read_secret_file, warn_of_weak_key
from gateway.config.secrets import Files, Stamp, expand_variables
from gateway.config.targets import TargetReader
from gateway.config.value_types import AUTO
from gateway.config.variables import check_variables, warn_of_unread
from gateway.config.yaml_tree import BUILT_IN_TARGETS, Tree, read_documents
from gateway.router.definition import Definition

MAX_FILE_BYTES = 64 << 20  # 100,000 rules are about 10 MiB
BACKLOG = 2048  # what the kernel takes anyway is net.core.somaxconn, 4,096 by default
DRAIN_SECONDS = 30.0  # within Kubernetes' terminationGracePeriodSeconds of 30 plus preStop


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of a load. `model` is None if there is an error among the problems.

    `notes` are warnings that only `check` prints: about missing settings that nothing needs.
    """

    model: Config | None
    problems: list[Problem]
    notes: list[Problem]
    router: Definition | None = field(repr=False)  # the custom one, if there is one
    tree: Tree = field(repr=False)
    text: str | None = field(repr=False)  # of the file; None if there is none to be had
    stamps: dict[Path, Stamp | None] = field(repr=False)  # of the files that the settings name
    _launch: Mapping[str, object] = field(repr=False)
    _file: Path | None = field(repr=False)

    @property
    def source(self) -> str:
        """The source of problems that have no place of their own."""
        return str(self._launch.get("config") or "environment")

    def watched_files(self) -> list[Path]:
        """Returns the files that were read or looked for."""
        return ([self._file] if self._file else []) + list(self.stamps)

    def boot(self) -> dict[str, object]:
        """Returns the settings that hold for the life of the process. Needs a model."""
        if self.model is None:
            raise ValueError("a configuration with errors boots nothing")
        given = self._launch
        tls, workers = self.model.router.tls, self.model.workers
        admin = self.model.router.admin_address
        drain = given.get("drain_seconds")
        return {
            "listen": [list(address) for address in self.model.listen],
            "listen_tls": [list(address) for address in tls.listen_address] if tls else [],
            "admin": list(admin) if isinstance(admin, Listen) else None,
            "admin_tls": self.model.admin.tls is not None,
            "workers": usable_processors() if workers == AUTO else workers,
            "drain_seconds": DRAIN_SECONDS if drain is None else float(str(drain)),
            "connections": self.model.limits.connections,
            "backlog": BACKLOG,
            "access_log": given.get("access_log") or "-",
            "log_format": given.get("log_format") or "text",
            "log_level": given.get("log_level") or "info",
        }


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Switches Python's garbage collector off for the time of the block, in every thread.

    100,000 rules are millions of objects without a cycle. The collector looked through them again
    and again, which took two thirds of a load. What was read should be gone before the block ends.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load(
    launch: Mapping[str, object], environ: Mapping[str, str], text: str | None = None
) -> Loaded:
    """Loads what `launch` and `environ` point to. Never raises because of what a user wrote.

    If `text` is given, it is taken for the content of the file, accepted before: a custom router
    is not imported then, or a half edited module could refuse what is in force.
    """
    with without_collector():
        return _load(launch, environ, text)


def _load(launch: Mapping[str, object], environ: Mapping[str, str], text: str | None) -> Loaded:
    problems = Problems()
    config = launch.get("config")
    file = Path(str(config)) if config else None
    accepted = text is not None
    if file is not None and text is None:
        text = _read(file, problems)
    tree, environment = _tree(file, text, (launch, environ), problems)
    reader = Reader(tree, problems, source=str(file) if file else "environment")
    files = Files(file.parent if file else Path(), reader)
    check_variables(environ, launch, problems)
    model = router = None
    if not _unreadable(problems):
        resolver = _Resolver(reader, files, launch, environ)
        model = resolver.config(environment)
        router = resolver.router
        if router is not None and not accepted and not problems.fatal:
            router = checked(reader, router, environ)
    warn_of_unread(environ, reader.variables, problems)
    return Loaded(
        model=None if problems.fatal else model,
        problems=[problem for problem in problems.sorted() if not problem.tolerated],
        notes=[problem for problem in problems.sorted() if problem.tolerated],
        router=router,
        tree=tree,
        text=text,
        stamps=files.seen,
        _launch=launch,
        _file=file,
    )


def _unreadable(problems: Problems) -> bool:
    """Whether there are no settings to look at, so that all would seem to be missing."""
    return any(problem.path in ("syntax", "file") for problem in problems)


def _tree(
    file: Path | None,
    text: str | None,
    settings: tuple[Mapping[str, object], Mapping[str, str]],
    problems: Problems,
) -> tuple[Tree, str | None]:
    launch, environ = settings
    base = layers.from_environ(environ)
    if file is None:
        documents: list[Tree] = [layers.without_file()]
    else:
        documents = [] if text is None else read_documents(text, str(file), problems)
        if text is not None and not documents and not problems.fatal:
            problems.add(Problem(Place(str(file)), "file", "is empty"))
    for document in documents:
        layers.move_shorthands(document, problems)
    flag = launch.get("environment")
    chosen = str(flag) if flag else environ.get("ENVIRONMENT") or None
    for document in layers.select(documents, chosen, insist=bool(flag), problems=problems):
        base = layers.overlay(base, document)
    tree = layers.overlay(base, layers.from_flags(launch, environ))
    name = tree.get(("routing", "environment"))
    return tree, str(name) if isinstance(name, str) else None


def _read(file: Path, problems: Problems) -> str | None:
    source = str(file)
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        problems.add(Problem(Place(source), "file", f"cannot be read: {error.strerror}"))
        return None
    if len(raw) > MAX_FILE_BYTES:
        problems.add(Problem(Place(source), "file", f"is larger than {MAX_FILE_BYTES} bytes"))
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8", "replace")) + 1
        place = Place(source, before.count(b"\n") + 1, column)
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        problems.add(Problem(place, "file", message, "save the file as UTF-8"))
        return None


class _Resolver:
    """Reads and resolves the sections of one load."""

    def __init__(
        self,
        reader: Reader,
        files: Files,
        launch: Mapping[str, object],
        environ: Mapping[str, str],
    ) -> None:
        self._reader = reader
        self._files = files
        self._environ = environ
        self._insecure_open = launch.get("insecure_open") is True
        self._reached: Mapping[str, Setting] = {}
        self.router: Definition | None = None
        self._probed = launch.get("probed")  # a target that is wanted although no rule leads there

    def config(self, environment: str | None) -> Config:
        """Returns the configuration. With errors it is incomplete, and the caller drops it."""
        reader = self._reader
        expand_variables(reader, self._environ)
        reader.read(Config, ())
        router = reader.read(Router, ("router",)) or Router()
        auth = reader.read(Auth, ("auth",)) or Auth()
        routing = reader.read(Routing, ("routing",)) or Routing()
        tls = read_served_tls(reader, self._files, router.tls, router.listen_address)
        admin = read_admin(reader, self._files, router)
        seal_keys = read_secret_file(reader, self._files, router.secret_file)
        addresses, loopback = router.addresses, router.loopback
        if auth.mode == "open" and not loopback and not self._insecure_open:
            message = "open lets everybody in, and the gateway listens beyond this machine"
            reader.error(("auth", "mode"), message, "use sigv4, loopback or --insecure-open")
        targets = self._targets(addresses, router.domains, routing)
        identities = self._identities(auth, targets, loopback)
        found = rules.read_rules(reader, auth.mode)
        known = {*reader.members(("targets",)), *BUILT_IN_TARGETS}
        configured = [identity.name for identity in identities if not identity.implicit]
        rules.check_references(reader, known, configured + self._broken_names())
        chains.check_routing(reader, routing, found)
        rules.resolve_fallbacks(found, routing)
        if self._probed is None:  # what a target lacks for a chain is what the probe may find
            chain_targets.report_targets(reader, found, routing, targets)
        self.router = read_custom(reader, self._files, routing, known)
        unreachable_rules.report_unreachable(reader, found)
        shared_names.report_rewrites(reader, found, routing)
        self._check_cors(auth.cors)
        self._warn_of_trust(router)
        if not reader.problems.fatal and self._probed is None:
            rules.report_unreached(reader, self._reached)
        if auth.mode != "open" and not reader.problems.fatal:
            self._warn_of_callers(identities, loopback, anonymous=auth.anonymous == "forward")
        if router.secret_file is None and not reader.problems.fatal:
            warn_of_weak_key(reader, identities, targets.values())
        return Config(
            router=router.resolved(tls, seal_keys),
            admin=admin,
            auth=auth.model_copy(update={"identities": tuple(identities)}),
            targets=targets,
            routing=routing.model_copy(update={"environment": environment, "rules": found}),
        )

    def _warn_of_callers(
        self, identities: list[Identity], loopback: bool, *, anonymous: bool
    ) -> None:
        """Warns if nobody can come in, or only who has the key of a target."""
        at: Setting = ("auth", "identities")
        if not identities and not anonymous:
            message = "nobody is known, every request is refused"
            self._reader.warn(at, message, "add auth.identities")
        keys = [identity.name for identity in identities if identity.implicit]
        if keys:
            reach = "and reach every target" if loopback else "and reach that target alone"
            whose = f"the key of {one_of(keys)}"
            message = f"is not set: clients must sign with {whose}, {reach}"
            hint = "give each client a key of its own"
            self._reader.warn(at, message, hint, tolerated=loopback)

    def _warn_of_trust(self, router: Router) -> None:
        for index, network in enumerate(router.trusted_proxies):
            if network.endswith("/0"):
                message = "trusts everybody: clients choose the address that the log shows"
                at = ("router", "trusted_proxies", index)
                self._reader.warn(at, message, "name the networks of your proxies")

    def _check_cors(self, cors: Cors | None) -> None:
        if cors is None:
            return
        if cors.preflight == "forward" and cors.rules:
            message = "are not asked while preflights are forwarded"
            self._reader.error(("auth", "cors", "rules"), message, "leave one of the two out")
        elif cors.preflight == "answer" and not cors.rules:
            message = "has no rules"
            self._reader.error(("auth", "cors"), message, "add auth.cors.rules, or leave it out")

    def _targets(
        self, listen: tuple[Listen, ...], domains: tuple[str, ...], routing: Routing
    ) -> dict[str, Target]:
        reached = dict(rules.reached_targets(self._reader))
        if routing.custom is not None:
            for name in (*routing.custom_reads, *nameable_targets(self._reader)):
                reached.setdefault(name, CUSTOM)
        if isinstance(self._probed, str):
            reached.setdefault(self._probed, ("targets", self._probed))
        self._reached = reached
        reader = TargetReader(self._reader, self._files, self._environ, listen, reached)
        return reader.read_all(domains)

    def _identities(
        self, auth: Auth, targets: Mapping[str, Target], loopback: bool
    ) -> list[Identity]:
        known = {*self._reader.members(("targets",)), *BUILT_IN_TARGETS}
        found = read_identities(self._reader, self._files, known, loopback)
        configured = self._reader.tree.get(("auth", "identities"))
        if found or configured or auth.mode == "open":
            return found
        reached = {name: targets[name] for name in targets if name in self._reached}
        return implicit_identities(self._reader, reached, loopback)

    def _broken_names(self) -> list[str]:
        """Returns the names of all identities: rules may also name those with errors."""
        names = []
        for index in self._reader.items(("auth", "identities")):
            name = self._reader.tree.get(("auth", "identities", index, "name"))
            if isinstance(name, str):
                names.append(str(name))
        return names
