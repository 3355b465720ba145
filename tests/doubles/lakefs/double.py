"""The double itself: a port on loopback, and the order in which a request is looked at.

Rules: authentication, then the repository, then the operation; one thread per connection, all
joined at the end; what ends the whole process of lakeFS closes the port for good and is told by
`died`; a fault of the double's own is kept in `defects` and fails the test that used it.
"""

from __future__ import annotations

import functools
import secrets
import socket
import socketserver
import threading
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self, cast

from tests.doubles.lakefs import (
    addressing,
    copying,
    deleting,
    listing,
    multipart,
    objects,
)
from tests.doubles.lakefs.addressing import Place
from tests.doubles.lakefs.api import API, unauthorised
from tests.doubles.lakefs.authentication import Unauthorised, has_session, verify
from tests.doubles.lakefs.bodies import Reader, reader
from tests.doubles.lakefs.call import BlockStore, Call, Operation, refuse_unsupported, xml_type
from tests.doubles.lakefs.errors import Bodyless, Refusal, document
from tests.doubles.lakefs.store import Repository, Store
from tests.doubles.lakefs.wire import Answer, Ended, Panic, Request, read_request
from tests.doubles.lakefs.xml import DECLARATION

ACCESS_KEY_ID = "AKIAIOSFOLQUICKSTART"
LINGER_BYTES = 16 << 20
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # what --quickstart prints

_UNSUPPORTED_PUT = (
    "cors metrics website logging accelerate requestPayment acl publicAccessBlock ownershipControls"
    " intelligent-tiering analytics lifecycle replication encryption policy object-lock tagging"
    " versioning"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived, and what it was answered; 0: nothing, the connection closed."""

    request: Request
    status: int

    @property
    def line(self) -> str:
        return f"{self.request.method} {self.request.target.decode('latin-1')}"


class LakeFS:
    """A lakeFS with one user. `block_store`: s3, gs, azure, local or mem."""

    def __init__(
        self,
        *,
        block_store: str = "s3",
        domains: tuple[str, ...] = (addressing.DEFAULT_DOMAIN,),
        region: str = "us-east-1",
        has_ui: bool = True,
        keys: dict[str, str] | None = None,
    ) -> None:
        self.store = Store()
        self.keys = keys or {ACCESS_KEY_ID: SECRET_ACCESS_KEY}
        self.token = secrets.token_urlsafe(24)  # of the only session, as a JWT would be
        self.seen: list[Seen] = []
        self.defects: list[str] = []
        self.died = False
        self._blocks = BlockStore(block_store)
        self._domains = domains
        self._region = region
        self._api = API(self.store, self.keys, (self.token,), has_ui=has_ui)

    @functools.cached_property
    def _listener(self) -> _Listener:
        """Made once it is needed: whoever calls `answer` needs none."""
        return _Listener(self)

    @functools.cached_property
    def _thread(self) -> threading.Thread:
        return threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.server_address[1])

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown()
        self._listener.close_connections()
        self._thread.join(10)
        self._listener.server_close()
        if error is None:
            assert not self.defects, "\n".join(self.defects)

    # What a test arranges

    def add_repository(self, name: str, *branches: str, read_only: bool = False) -> Repository:
        """A repository with `main` and these branches."""
        repository = self.store.add_repository(name, read_only=read_only)
        for branch in branches:
            repository.add_branch(branch, "main")
        return repository

    def lose(self, repository: str, ref: str, key: str) -> None:
        """The block store forgets an object's bytes."""
        self.store.lost.add(self.store.repositories[repository].entries(ref)[key].address)

    def panic(self) -> None:
        """Code of lakeFS that died; where nobody recovers from it, all of lakeFS is gone."""
        if self._blocks.dies_of_panics:
            self.died = True
            self._listener.shutdown()
            self._listener.socket.close()
            self._listener.close_connections()

    # One request

    def answer(self, request: Request) -> Answer:
        """Raises Ended, Panic: the connection closes without an answer."""
        if not addressing.is_s3(request, self._domains):
            return self._api.answer(request)
        place = addressing.place(request, self._domains)
        request_id = str(uuid.uuid4())
        known: dict[str, str] = {}  # the id header comes once the repository is known
        try:
            read = self._authenticate(request)
            repository = self._repository(request, place)
            known["X-Amz-Request-Id"] = request_id
            answer = self._operate(request, place, repository, read)
        except Unauthorised:
            return unauthorised()
        except Bodyless as bodyless:
            answer = Answer(bodyless.status)
        except Refusal as refusal:
            answer = self._refuse(request, place, refusal, request_id)
        answer.headers.update(known)
        return answer

    def _authenticate(self, request: Request) -> Reader:
        if has_session(request, self.keys, (self.token,)):
            return reader(request, None)
        return reader(request, verify(request, self.keys))

    def _repository(self, request: Request, place: Place) -> Repository:
        """The repository, or one without a name for the root. Raises Refusal."""
        if not place.repository and place.ref is None:
            return Repository("")
        if not addressing.is_repository_name(place.repository):
            raise Refusal("InternalError")
        found = self.store.repositories.get(place.repository)
        if found is None:
            if request.method == "PUT" and place.is_bucket:
                raise Refusal("NotImplemented")
            if request.path.startswith("/api/v1"):
                raise Refusal("ErrNoSuchBucketPossibleAPIEndpoint")
            raise Refusal("NoSuchBucket")
        return found

    def _operate(
        self, request: Request, place: Place, repository: Repository, read: Reader
    ) -> Answer:
        call = Call(
            request,
            self.store,
            self._blocks,
            repository,
            place.ref or "",
            place.key or "",
            read,
            self._region,
        )
        if place.is_object:
            return _object_operation(call)(call)
        if place.is_bucket:
            return _bucket_operation(call)(call)
        if not place.repository and request.method == "GET":
            return listing.list_buckets(call)
        raise Bodyless(404)

    def _refuse(self, request: Request, place: Place, refusal: Refusal, request_id: str) -> Answer:
        body = DECLARATION + document(
            refusal,
            repository=place.repository,
            ref=place.ref or "",
            key=place.key or "",
            request_id=request_id,
            host_id=secrets.token_hex(8).upper(),
        )
        return Answer(refusal.status, body, {"Content-Type": xml_type(request)})


def _bucket_operation(call: Call) -> Operation:
    match call.request.method:
        case "GET":
            return multipart.list_uploads if "uploads" in call.query else listing.get_bucket
        case "HEAD":
            return listing.head_bucket
        case "PUT":
            refuse_unsupported(call, _UNSUPPORTED_PUT)
            raise Refusal("BucketAlreadyExists")
        case "POST" if "delete" in call.query:
            return deleting.delete_objects
        case "POST" | "DELETE":
            raise Refusal("ERRLakeFSNotSupported")
    raise Bodyless(404)


def _object_operation(call: Call) -> Operation:
    has_upload = "uploadId" in call.query
    match call.request.method:
        case "GET":
            return multipart.list_parts if has_upload else objects.get
        case "HEAD":
            return objects.head
        case "PUT":
            return _put_operation(call)
        case "DELETE":
            return multipart.abort if has_upload else objects.delete
        case "POST":
            return _post_operation(call)
    raise Bodyless(404)


def _put_operation(call: Call) -> Operation:
    refuse_unsupported(call, objects.UNSUPPORTED_PUT)
    if "uploadId" in call.query:
        return multipart.upload_part
    if call.request.has_header("x-amz-copy-source"):
        return copying.copy
    return objects.put


def _post_operation(call: Call) -> Operation:
    refuse_unsupported(call, "select restore")
    if "uploads" in call.query:
        return multipart.create
    if "uploadId" in call.query:
        return multipart.complete
    raise Bodyless(405)


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, lakefs: LakeFS) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.lakefs = lakefs
        self.open: set[socket.socket] = set()

    def close_connections(self) -> None:
        """Wake every thread that waits for a client."""
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster


class _Connection(socketserver.StreamRequestHandler):
    """One client connection: requests are answered in turn until it closes."""

    disable_nagle_algorithm = True
    timeout = 30

    def handle(self) -> None:
        listener = cast(_Listener, self.server)
        connection = cast(socket.socket, self.request)
        listener.open.add(connection)
        try:
            while self._turn(listener.lakefs, connection):
                pass
        except Panic:
            listener.lakefs.panic()
        except (Ended, OSError):
            return  # half a request: no answer
        except Exception as error:
            listener.lakefs.defects.append(f"{type(error).__name__}: {error}")
            raise
        finally:
            listener.open.discard(connection)

    def _turn(self, lakefs: LakeFS, connection: socket.socket) -> bool:
        """Answer one request; whether another may follow."""
        request = read_request(cast(BinaryIO, self.rfile), connection)
        if request is None:
            return False
        try:
            answer = lakefs.answer(request)
        except (Ended, Panic):
            lakefs.seen.append(Seen(request, 0))
            raise
        is_left = request.body.is_left()
        close = is_left or "close" in request.header("connection").lower()
        lakefs.seen.append(Seen(request, answer.status))
        connection.sendall(answer.on_wire(request.method, close=close))
        if is_left:
            _linger(connection)
        return not close


def _linger(connection: socket.socket) -> None:
    """Let the client read an answer that came before its body had gone, as Go's server does."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(0.5)
    left = LINGER_BYTES
    while left > 0 and (data := connection.recv(65536)):
        left -= len(data)
