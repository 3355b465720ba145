"""nginx as a stand-in store: files in memory, served over http and https, uploads really read.

Rules: no signature is looked at, so that the store's own cost stays small; a PUT is read to its end
and stored (a bare `return 200` would answer before the body and make every figure wrong); it speaks
one cipher, or BoringSSL (Envoy) would get AES-128 and OpenSSL (all others) AES-256.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtest.bench import machine
from loadtest.bench.certificates import Certificates

MEMORY = Path("/dev/shm")

_CONFIGURATION = """
daemon off; worker_processes 1; pid {directory}/pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; open_file_cache max=100;
  keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 0;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  default_type application/octet-stream;
  # As a store does: nginx itself gives an ETag to what it reads, none to what it writes.
  map $request_method $written {{ default ""; PUT '"d41d8cd98f00b204e9800998ecf8427e"'; }}
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096;
    listen 127.0.0.1:{tls_port} ssl reuseport backlog=4096;
    ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    root {directory}/root;
    location / {{ dav_methods PUT; create_full_put_path on; add_header ETag $written; }}
    location /sources/ {{ }}  # with nginx's own ETag, by which a copy reads
    location = /list {{ default_type application/xml; try_files /documents/list =404; }}
  }}
}}
"""


class Store:
    """A running store; `objects` is where its files are."""

    def __init__(self, certificates: Certificates) -> None:
        self.port, self.tls_port = machine.free_port(), machine.free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="s3gateway-bench-", dir=MEMORY))
        self.objects = self.directory / "root" / "bench"
        self.objects.mkdir(parents=True)
        (self.directory / "root" / "documents").mkdir()
        (self.directory / "root" / "sources").mkdir()
        configuration = self.directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                directory=self.directory,
                port=self.port,
                tls_port=self.tls_port,
                certificate=certificates.certificate,
                key=certificates.key,
            )
        )
        # Written by the user that nginx's worker runs as, which is not root.
        for path in (self.directory, self.directory / "root", self.objects):
            path.chmod(0o777)
        self._process = machine.start(
            [machine.find("nginx"), "-p", str(self.directory), "-c", str(configuration)],
            machine.LOAD_CORE,
            self.directory,
        )

    def __enter__(self) -> Self:
        machine.wait_for(lambda: machine.answers(self.port), "the store")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.directory)

    def put(self, name: str, data: bytes) -> None:
        """Make an object of the bucket `bench`."""
        path = self.objects / name
        path.write_bytes(data)
        path.chmod(0o666)

    def put_source(self, name: str, data: bytes) -> None:
        """Make an object of the bucket `sources`."""
        path = self.directory / "root" / "sources" / name
        path.write_bytes(data)
        path.chmod(0o666)

    def put_list(self, document: bytes) -> None:
        """What a list of the bucket `list` answers."""
        (self.directory / "root" / "documents" / "list").write_bytes(document)
