"""What the model knows of an object: its bytes, and what a client has said about them."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlencode

Pairs = tuple[tuple[str, str], ...]

DEFAULT_TYPE = "binary/octet-stream"  # S3's


class About(NamedTuple):
    """What is said about an object; pairs are in the order of their names."""

    content_type: str = DEFAULT_TYPE
    metadata: Pairs = ()
    tags: Pairs = ()

    @property
    def without_tags(self) -> About:
        return self._replace(tags=())

    @property
    def described(self) -> dict[str, Any]:
        """As boto3's arguments for a new object, but for its tags."""
        return {"ContentType": self.content_type, "Metadata": dict(self.metadata)}

    @property
    def tagged(self) -> dict[str, Any]:
        """As boto3's argument for a new object."""
        return {"Tagging": urlencode(self.tags)} if self.tags else {}


class Stored(NamedTuple):
    """An object. It is shown without its bytes: there may be a megabyte of them."""

    body: bytes
    about: About = About()

    @property
    def changed(self) -> Stored:
        """Another of its size, which differs from it in each byte."""
        return Stored(bytes(byte ^ 255 for byte in self.body), self.about)

    def __repr__(self) -> str:
        return f"<{len(self.body)} bytes {self.body[:20]!r}, {self.about}>"


Objects = dict[tuple[str, str, str], Stored]
