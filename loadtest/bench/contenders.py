"""The gateway and its peers: each one thread, one core, the same store behind it.

Rules: a peer has the configuration its own documentation recommends for speed; Envoy signs each
request and verifies none, nginx and HAProxy do neither; the gateway verifies and signs, and writes
its access log.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench import machine
from loadtest.bench.certificates import Certificates

KEY_ID, SECRET = "AKIDBENCHCLIENT", "bench-client-secret"
REGION = "us-east-1"

ROOT = Path(__file__).parents[2]


class Upstream:
    """Where a contender finds the store."""

    def __init__(self, port: int, certificates: Certificates | None) -> None:
        self.port = port
        self.certificates = certificates  # of an https store
        self.scheme = "http" if certificates is None else "https"


class Contender:
    """A running proxy, listening on `port`; direct access to the store is one without a process."""

    def __init__(self, name: str, port: int, process: subprocess.Popen[bytes] | None) -> None:
        self.name = name
        self.port = port
        self._process = process

    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far."""
        if self._process is None:
            return 0.0
        return machine.cpu_seconds(machine.family(self._process.pid))

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it, by force if need be."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def direct(upstream: Upstream, directory: Path) -> Contender:
    """No proxy at all: what the store and the load generator can do."""
    return Contender("direct", upstream.port, None)


# --- the gateway ---


_RULES = (
    {"pattern": "archive-*", "target": "store"},
    {"pattern": "bench", "target": "store"},
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the gateway is run; `core` None: on all of them."""

    workers: int = 1
    core: int | None = machine.CONTENDER_CORE
    limits: Mapping[str, float] = field(default_factory=dict)
    rules: Sequence[Mapping[str, object]] = _RULES
    routing: Mapping[str, object] = field(default_factory=dict)  # more of its settings
    targets: Mapping[str, object] = field(default_factory=dict)  # more of them
    root: Path = ROOT  # of the checkout whose code runs


def gateway(upstream: Upstream, directory: Path, settings: Settings | None = None) -> Contender:
    """s3gateway, its target of a profile that verifies digests; its log is `access.log`."""
    chosen = settings or Settings()
    port = machine.free_port()
    target: dict[str, object] = {
        "profile": "s3",
        "endpoint": f"{upstream.scheme}://127.0.0.1:{upstream.port}",
        "region": REGION,
        "access_key_id": "AKIDBENCHTARGET",
        "secret_access_key": "bench-target-secret",
    }
    if upstream.certificates is not None:
        target["tls"] = {"ca_file": str(upstream.certificates.authority)}
    configuration = directory / "gateway.yaml"
    configuration.write_text(
        json.dumps(
            {
                "router": {"listen_address": f"127.0.0.1:{port}", "limits": dict(chosen.limits)},
                "auth": {
                    "identities": [
                        {"name": "bench", "access_key_id": KEY_ID, "secret_access_key": SECRET}
                    ]
                },
                "targets": {"store": target, **chosen.targets},
                "routing": {
                    "default_target": "store",
                    "rules": list(chosen.rules),
                    **chosen.routing,
                },
            }
        )
    )
    log = str(directory / "access.log")
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(configuration)]
    environ = {"PYTHONPATH": str(chosen.root)}
    process = machine.start(
        [*command, "--workers", str(chosen.workers), "--access-log", log],
        chosen.core,
        directory,
        environ,
    )
    contender = _ready(Contender("s3gateway", port, process), 60.0)  # for very many rules
    # It listens before its workers are there.
    output = directory / "output"
    machine.wait_for(lambda: "ready: " in output.read_text(), "s3gateway to be ready", 60.0)
    return contender


# --- the peers ---

_NGINX = """
daemon off; worker_processes 1; pid {directory}/pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 0; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  upstream store {{
    server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass {scheme}://store; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_max_temp_file_size 0; {buffers}{tls}
    }}
  }}
}}
"""


# nginx's own are of 4 and 8 KiB, and one system call moves one or two of them.
_LARGE_BUFFERS = "proxy_buffer_size 64k; proxy_buffers 8 64k; client_body_buffer_size 256k; "


def nginx(upstream: Upstream, directory: Path) -> Contender:
    """nginx as a streaming proxy without authentication, its buffers as they are by default."""
    return _nginx("nginx", "", upstream, directory)


def nginx_large(upstream: Upstream, directory: Path) -> Contender:
    """The same with buffers for large bodies."""
    return _nginx("nginx-large", _LARGE_BUFFERS, upstream, directory)


def _nginx(name: str, buffers: str, upstream: Upstream, directory: Path) -> Contender:
    port = machine.free_port()
    tls = ""
    if upstream.certificates is not None:
        tls = (
            f"proxy_ssl_trusted_certificate {upstream.certificates.authority}; "
            "proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.3;"
        )
    configuration = directory / "nginx.conf"
    configuration.write_text(
        _NGINX.format(
            directory=directory,
            port=port,
            upstream=upstream.port,
            scheme=upstream.scheme,
            buffers=buffers,
            tls=tls,
        )
    )
    directory.chmod(0o777)
    command = [machine.find("nginx"), "-p", str(directory), "-c", str(configuration)]
    process = machine.start(command, machine.CONTENDER_CORE, directory)
    return _ready(Contender(name, port, process))


_HAPROXY = """
global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
  {splice}
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  default_backend store
backend store
  server one 127.0.0.1:{upstream} maxconn 900 pool-max-conn 900 {tls}
"""


def haproxy(upstream: Upstream, directory: Path) -> Contender:
    """HAProxy, copying."""
    return _haproxy("haproxy", "", upstream, directory)


def haproxy_splice(upstream: Upstream, directory: Path) -> Contender:
    """HAProxy with the kernel's splicing."""
    return _haproxy("haproxy-splice", "option splice-auto", upstream, directory)


def _haproxy(name: str, splice: str, upstream: Upstream, directory: Path) -> Contender:
    port = machine.free_port()
    tls = ""
    if upstream.certificates is not None:
        tls = f"ssl verify required ca-file {upstream.certificates.authority}"
    configuration = directory / "haproxy.cfg"
    configuration.write_text(
        _HAPROXY.format(splice=splice, port=port, upstream=upstream.port, tls=tls)
    )
    command = [machine.find("haproxy"), "-db", "-f", str(configuration)]
    process = machine.start(command, machine.CONTENDER_CORE, directory)
    return _ready(Contender(name, port, process))


def envoy(upstream: Upstream, directory: Path) -> Contender:
    """Envoy, signing each request upstream."""
    port = machine.free_port()
    configuration = directory / "envoy.json"
    configuration.write_text(json.dumps(_envoy(port, upstream)))
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIDBENCHTARGET",
        "AWS_SECRET_ACCESS_KEY": "bench-target-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    # Two at once on one machine share memory by this number.
    base = ["--base-id", str(port)]
    command = [machine.find("envoy"), "--concurrency", "1", "-l", "warn", *base]
    process = machine.start(
        [*command, "-c", str(configuration)], machine.CONTENDER_CORE, directory, environ
    )
    return _ready(Contender("envoy", port, process))


def _envoy(port: int, upstream: Upstream) -> dict[str, object]:
    address = {"address": "127.0.0.1", "port_value": port}
    store = {"address": "127.0.0.1", "port_value": upstream.port}
    types = "type.googleapis.com/envoy.extensions"
    signing = {
        "name": "envoy.filters.http.aws_request_signing",
        "typed_config": {
            "@type": f"{types}.filters.http.aws_request_signing.v3.AwsRequestSigning",
            "service_name": "s3",
            "region": REGION,
            "use_unsigned_payload": True,
            "host_rewrite": f"127.0.0.1:{upstream.port}",
        },
    }
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{types}.filters.http.router.v3.Router"},
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "store", "timeout": "0s"}}
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [signing, router],
    }
    cluster: dict[str, object] = {
        "name": "store",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [{"max_connections": 4096, "max_requests": 4096}]},
        "load_assignment": {
            "cluster_name": "store",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": store}}}]}],
        },
    }
    if upstream.certificates is not None:
        trusted = {"trusted_ca": {"filename": str(upstream.certificates.authority)}}
        cluster["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{types}.transport_sockets.tls.v3.UpstreamTlsContext",
                "common_tls_context": {
                    "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
                    "validation_context": trusted,
                },
                "sni": "localhost",
            },
        }
    http = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {"address": {"socket_address": address}, "filter_chains": [{"filters": [http]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def versitygw(upstream: Upstream, directory: Path) -> Contender:
    """versitygw as a proxy before an S3 store: verifies, decides, signs again, as the gateway."""
    port = machine.free_port()
    signed = ["--access", "AKIDBENCHTARGET", "--secret", "bench-target-secret", "--region", REGION]
    store = ["--endpoint", f"{upstream.scheme}://127.0.0.1:{upstream.port}", "--use-path-style"]
    verified = ["--access", KEY_ID, "--secret", SECRET, "--region", REGION]
    listening = ["--port", f"127.0.0.1:{port}", "--quiet"]
    command = [machine.find("versitygw"), *verified, *listening, "s3", *signed, *store]
    command += ["--disable-data-integrity-check", "--disable-checksum"]
    if upstream.certificates is not None:
        command.append("--ssl-skip-verify")
    environ = {"GOMAXPROCS": "1", "AWS_CA_BUNDLE": ""}  # its SDK takes none with its own client
    process = machine.start(command, machine.CONTENDER_CORE, directory, environ)
    return _ready(Contender("versitygw", port, process))


def _ready(contender: Contender, seconds: float = 20.0) -> Contender:
    try:
        what = f"{contender.name} to listen"
        machine.wait_for(lambda: machine.answers(contender.port), what, seconds)
    except TimeoutError:
        contender.stop()
        raise
    return contender


ALL: dict[str, Callable[[Upstream, Path], Contender]] = {
    "s3gateway": gateway,
    "envoy": envoy,
    "nginx": nginx,
    "nginx-large": nginx_large,
    "haproxy": haproxy,
    "haproxy-splice": haproxy_splice,
    "versitygw": versitygw,
    "direct": direct,
}
# Peers that are measured where they are on PATH, and left out elsewhere.
OPTIONAL = ("versitygw",)
