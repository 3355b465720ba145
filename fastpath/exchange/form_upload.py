"""Turns a browser's form into the PutObject that it asks for.

Rules: no byte of the file is kept before the form's signature is verified and its policy allows the
fields. A short file is gathered, a longer one streams (`forms.file`). The upload is permitted and
routed as a PutObject, never as a POST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fastpath.composed.request_body import RequestBody
from fastpath.errors import (
    ACCESS_DENIED,
    INVALID_REQUEST,
    MISSING_CONTENT_LENGTH,
    SLOW_DOWN,
    S3Error,
)
from fastpath.exchange.upload_body import body_plan_of
from fastpath.forms.answer import form_answer
from fastpath.forms.file import BufferedFile, FormFile, StreamedFile
from fastpath.forms.policy import Policy, check_policy
from fastpath.forms.put import address_of, put_head, raw_head, with_filename
from fastpath.forms.reader import FormReader, boundary_of
from fastpath.forms.signature import authenticate_form, claimed_in_form, is_anonymous
from fastpath.http.framing import request_body
from fastpath.http.head import RequestHead, ResponseHead
from fastpath.payload.body_plan import BodyPlan
from fastpath.request.admission import admit_form
from fastpath.request.admitted import Admitted
from fastpath.request.chains import Looking
from fastpath.request.decision import Undecided
from fastpath.request.trail import Trail
from fastpath.response.filters import MAX_ASKED_BYTES, Buffer, ResponseFilter, Step
from fastpath.response.own_answer import OwnAnswer
from fastpath.routing.identities import ANONYMOUS_CALLER, OPEN_CALLER, Caller, unverified
from fastpath.routing.snapshot import Snapshot
from fastpath.s3.addressing import Address

Find: TypeAlias = Callable[[Undecided | Looking], Awaitable[Admitted]]


class FormMemory:
    """The bytes of forms that one worker gathers at the moment, bounded."""

    __slots__ = ("_used",)

    def __init__(self) -> None:
        self._used = 0

    def reserve(self, count: int, limit: int) -> None:
        """Take `count` bytes of `limit`. Raises S3Error SlowDown."""
        if self._used + count > limit:
            raise S3Error(SLOW_DOWN, retry_after=1)
        self._used += count

    def free(self, count: int) -> None:
        """Give back what was reserved."""
        self._used -= count


class FormUpload:
    """One form.

    Once it was `read`, `admitted`, `head`, `raw`, `file` and `body_plan` are of its PutObject.

    Whoever made it must `close` it.
    """

    __slots__ = (
        "_address",
        "_boundary",
        "_fields",
        "_form",
        "_memory",
        "_now",
        "_policy",
        "_reader",
        "_reserved",
        "_rest",
        "_snapshot",
        "_trail",
        "admitted",
        "body_plan",
        "file",
        "head",
        "raw",
    )

    def __init__(
        self,
        form: RequestHead,
        address: Address,
        trail: Trail,
        snapshot: Snapshot,
        now: float,
        memory: FormMemory,
    ) -> None:
        """`address`: of the form; `now` in epoch seconds. Raises S3Error: it is no form."""
        self._boundary = boundary_of(form.fields.get(b"content-type", b""))
        request_body(form)
        if form.content_length is None:
            raise S3Error(MISSING_CONTENT_LENGTH)
        self._form = form
        self._address = address
        self._trail = trail
        self._snapshot = snapshot
        self._now = now
        self._reader = FormReader(self._boundary)
        self._fields: dict[bytes, bytes] = {}
        self._policy: Policy | None = None
        self._rest: list[bytes] = []  # bytes from the file's first one on
        self._memory = memory
        self._reserved = 0  # bytes of it
        self.admitted: Admitted
        self.file: FormFile
        self.head: RequestHead
        self.body_plan: BodyPlan | None = None
        self.raw = b""

    async def read(self, body: RequestBody, find: Find) -> None:
        """Read the form until its PutObject may begin; `find` decides what fields do not.

        Raises S3Error.
        """
        rest: bytes | None = None
        while rest is None:
            rest = self._reader.feed(await body.read(), body.ended)
        admitted = self._admit()
        self.admitted = admitted if isinstance(admitted, Admitted) else await find(admitted)
        if self.admitted.own_answer is not None:
            raise S3Error(INVALID_REQUEST, message="A form cannot make a directory.")
        while not self._take(rest, body.ended):
            rest = await body.read()

    def _take(self, data: bytes, last: bool) -> bool:
        """Take a piece of the file and what follows; whether the PutObject may begin."""
        self._rest.append(data)
        assert self._form.content_length is not None
        left = self._form.content_length - self._reader.start
        limits = self._snapshot.limits
        if left <= limits.form_gather_bytes:
            if not self._reserved:
                self._memory.reserve(left, limits.forms_bytes)
                self._reserved = left
            if not last:
                return False
            self.file = BufferedFile(b"".join(self._rest), self._boundary)
        else:
            self.file = StreamedFile(b"".join(self._rest), left, self._boundary)
        self._rest.clear()
        self._measure(self.file.length)
        body_plan = self.body_plan = body_plan_of(self.head, self.admitted)
        self.file.set_filter(body_plan.filter if body_plan is not None else None)
        return True

    def close(self) -> None:
        """Give the reserved memory back."""
        self._memory.free(self._reserved)
        self._reserved = 0

    def _admit(self) -> Admitted | Undecided | Looking:
        """Verify, permit and route the complete fields."""
        fields = self._fields = with_filename(self._reader.fields, self._reader.filename)
        address = address_of(fields, self._address)
        caller = self._caller(fields)
        head = put_head(self._form, fields, address, None)
        return admit_form(head, address, caller, self._snapshot, self._now, self._trail)

    def _caller(self, fields: dict[bytes, bytes]) -> Caller:
        snapshot = self._snapshot
        if snapshot.open_caller is not None:
            return snapshot.open_caller
        if is_anonymous(fields):
            if not snapshot.anonymous:
                raise S3Error(ACCESS_DENIED)
            return ANONYMOUS_CALLER
        try:
            identity = authenticate_form(fields, snapshot.callers, snapshot.accepted, self._now)
        except S3Error:
            claimed = claimed_in_form(fields)
            self._trail.caller = unverified(claimed) if claimed else OPEN_CALLER
            raise
        caller = self._trail.caller = snapshot.callers[identity.access_key_id]
        self._policy = check_policy(fields[b"policy"], fields, self._address.bucket, self._now)
        return caller

    def _measure(self, length: int) -> None:
        if self._policy is not None:
            self._policy.check_size(length)
        self.head = put_head(self._form, self._fields, self.admitted.address, length)
        self.raw = raw_head(self.head)

    def answer(self, stored: ResponseHead, *, secure: bool) -> OwnAnswer:
        """The answer to a client whose file is stored; `secure`: the client uses TLS."""
        address = self.admitted.address
        scheme = b"https" if secure else b"http"
        host = self._form.fields.get(b"host", b"")
        bucket = address.bucket + b"/" if address.path_style else b""
        base = b"%b://%b/%b" % (scheme, host, bucket)
        return form_answer(self._fields, address, base, stored)


class FormAnswer(ResponseFilter):
    """Answers a browser whose file is stored in the way that its form asked for."""

    def __init__(self, form: FormUpload, *, secure: bool) -> None:
        """`secure`: the client uses TLS."""
        self._form = form
        self._secure = secure
        self._stored: ResponseHead

    def head(self, head: ResponseHead) -> Step:
        self._stored = head
        return Buffer(MAX_ASKED_BYTES) if head.status < 300 else None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        return self._form.answer(self._stored, secure=self._secure)
