"""Executes the blocks of one page in their order, as somebody does who reads it with a shell open.

Rules: one directory and one set of environment variables for the page; each block of commands is
run by bash with `set -euo pipefail`, and Python by the interpreter of the tests. The addresses that
the page shows become those of what the test started, and in what is printed the other way round. A
line that starts the gateway is started by the harness and runs until the page ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.documents.blocks import Block
from tests.documents.interpreter import Interpreter
from tests.documents.kinds import commands, documents, typed
from tests.documents.stores import LISTEN, Stores
from tests.process.harness import Gateway

SECONDS = 50  # a block that takes longer than that is not for a reader
SCRIPTS = sysconfig.get_path("scripts")
ADMIN = r"admin plane on http://(\S+:\d+)"
# What asks the one gateway that runs is told which: others may run beside it.
_COMMAND = f"""\
#!/bin/bash
case ${{1-}} in
status | health | reload | drain | disable | enable) set -- "$@" ${{CHOSEN-}} ;;
esac
exec {SCRIPTS}/s3gateway "$@"
"""
SERVES = re.compile(
    r"(?:s3gateway|lakefs-s3-router)(?: serve)?(?! --?[hv])(?P<words>(?: -[^\n&]*)?)&?"
)

# What differs from run to run, before the numbers: digests and ids, times, how much of a unit.
_DIFFER = (
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{16,64}\b"), "HEX"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"(?<!rule )(?<!place )\b\d+(?:\.\d+)?(?: (?:us|ms|s|min|h|d)\b)?"), "N"),
    (re.compile(r"[ \t]+"), " "),
)


class Typed(Gateway):
    """A gateway that a line of a document starts."""

    def __init__(self, words: list[str], directory: Path, environ: Mapping[str, str]) -> None:
        self._words = [
            str(directory / one) if (directory / one).is_file() else one for one in words
        ]
        super().__init__(None, environ=environ)

    def command(self, launch: Mapping[str, object]) -> list[str]:
        return [f"{SCRIPTS}/s3gateway", "serve", *self._words]


@dataclass(slots=True)
class Session:
    """What a page finds; `real` is what stands here for what the page shows."""

    directory: Path
    stores: Stores
    ends: contextlib.ExitStack
    environ: dict[str, str] = field(default_factory=dict)
    real: dict[str, str] = field(default_factory=dict)
    _printed: str = ""
    _written: dict[Path, str] = field(default_factory=dict)
    _interpreter: Interpreter | None = None

    def __post_init__(self) -> None:
        (self.directory / "home").mkdir()
        command = self.directory / "bin" / "s3gateway"
        command.parent.mkdir()
        command.write_text(_COMMAND)
        command.chmod(0o755)
        self.real["/etc/s3gateway"] = str(self.directory)
        self.environ = {
            "PATH": f"{command.parent}:{SCRIPTS}:{os.environ['PATH']}",
            "HOME": str(self.directory / "home"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "S3GATEWAY_ADMIN": LISTEN,
            **self.environ,
        }

    def run(self, block: Block) -> None:
        """Executes a block. AssertionError, with its place, if it does not do what it shows."""
        try:
            self._run(block)
        except Exception as error:
            error.add_note(f"the block at {block.place}")
            raise

    def _run(self, block: Block) -> None:
        if block.is_output:
            self._compare(block, block.text, self._printed)
        elif block.file:
            self.write(block.file, block.text)
        elif block.language == "python":
            self._printed = self._program(block)
        elif block.language == "console":
            self._run_console(block)
        else:
            self._run_lines(block)

    def write(self, name: str, text: str) -> None:
        """Writes a file; a configuration gets the stores that are here."""
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".yaml" and any("routing" in one for one in documents(text)):
            text = self.stores.put_into_text(text)
        file.write_text(text)
        self._written[file] = text

    def serve(self, gateway: Gateway) -> Gateway:
        """Has the page's addresses be those of this gateway."""
        self.ends.enter_context(gateway)
        gateway.wait_until_ready()
        self.real["127.0.0.1:8080"] = gateway.url.removeprefix("http://")
        self.environ["CHOSEN"] = f"--pid {gateway.supervisor_pid}"
        self.real["127.0.0.1:9090"] = gateway.wait_for_log(ADMIN)[1]
        return gateway

    # Commands

    def _run_lines(self, block: Block) -> None:
        """Up to a line that serves or goes on in the background, that one, and the rest."""
        waiting: list[str] = []
        self._printed = ""
        for line in block.text.splitlines():
            word = " ".join(commands(line))
            found = SERVES.fullmatch(word)
            if not found and not re.search(r"[^&]&$", word):
                waiting.append(line)
                continue
            self._run_bash(block, waiting)
            waiting = []
            if found:
                words = self.filled(found["words"]).split()
                self.serve(Typed(words, self._place, self.own))
            else:
                self._start(self.filled(word.removesuffix("&")))
        self._run_bash(block, waiting)

    def _start(self, line: str) -> None:
        """Something that runs until the page ends."""
        with (self.directory / "home" / "background").open("ab") as told:
            started = subprocess.Popen(
                ["bash", "-c", line],
                cwd=self._place,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )
        self.ends.callback(started.wait)
        self.ends.callback(_end, started.pid)

    @property
    def _place(self) -> Path:
        """Where the page's shell is."""
        return Path(self.environ.get("PWD", self.directory))

    @property
    def own(self) -> dict[str, str]:
        """The variables that the page has exported for the gateway."""
        return {
            name: value
            for name, value in self.environ.items()
            if name.startswith(("AWS_", "LAKEFS_", "S3GATEWAY_"))
        }

    def _run_console(self, block: Block) -> None:
        """Each command, and what it prints beside what is shown."""
        for command, shown in typed(block.text):
            self._printed = ""
            self._run_bash(block, [command])
            self._compare(block, shown, self._printed)

    def _run_bash(self, block: Block, lines: list[str]) -> None:
        if not commands("\n".join(lines)):
            return
        kept = self.directory / "home" / "environment"
        script = "\n".join(["set -euo pipefail", *lines, f"env -0 > '{kept}'"])
        self._printed += self._execute(block, ["bash", "-c", self.filled(script)])
        if kept.exists():
            found = [one.partition("=") for one in kept.read_text().split("\0") if one]
            self.environ.update({name: value for name, _, value in found})
        self._read_configurations()

    def _read_configurations(self) -> None:
        """One that a command has written gets the stores that are here, too."""
        for file in self.directory.glob("*.yaml"):
            if (text := file.read_text()) != self._written.get(file):
                self.write(file.name, text)

    def _execute(self, block: Block, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self._place,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        said = f"{block.place}: exit status {done.returncode} of\n{command[-1]}\n{done.stdout}"
        assert done.returncode == block.status, said
        return done.stdout

    def filled(self, text: str) -> str:
        for written, real in self.real.items():
            text = text.replace(written, real)
        return text

    def _program(self, block: Block) -> str:
        """Python, with the names of the page's programs before it."""
        if self._interpreter is None:
            self._interpreter = self.ends.enter_context(Interpreter(self.directory, self.environ))
        status, printed = self._interpreter.run(self.filled(block.text), self.environ)
        assert status == block.status, f"{block.place}: exit status {status}\n{printed}"
        return printed

    # What is printed

    def _compare(self, block: Block, shown: str, printed: str) -> None:
        for written, real in self.real.items():
            printed = printed.replace(real, written)
        printed = self.stores.as_shown(printed)
        wanted, found = plain(shown), plain(printed)
        said = f"{block.place}: it prints\n{printed}"
        assert re.fullmatch("\n".join(map(_pattern, wanted)), "\n".join(found)), said


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)


def _pattern(line: str) -> str:
    """Of a line that is shown: `...` are lines where it stands alone, or the rest of a word."""
    if line.strip() == "...":
        return r"(?:.*\n)*.*"
    return ".*".join(map(re.escape, re.split(r"[\w-]*\.\.\.", line)))


def plain(text: str) -> list[str]:
    """Its lines without what differs from run to run."""
    for pattern, instead in _DIFFER:
        text = pattern.sub(instead, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]
