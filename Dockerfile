# syntax=docker/dockerfile:1
# The image of s3gateway: a virtual environment without compiler, pip or source, run by uid 65532.
#
#   docker build -t s3gateway .
#   docker run -p 8080:8080 -v "$PWD/gateway.yaml:/etc/s3gateway/gateway.yaml:ro" s3gateway
#
# The Python of both stages must be the same: the environment holds compiled modules for it.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY fastpath fastpath
RUN python -m venv /opt/s3gateway \
 && /opt/s3gateway/bin/python -m pip install --no-cache-dir --disable-pip-version-check . \
 && /opt/s3gateway/bin/python -m compileall -q /opt/s3gateway \
 && /opt/s3gateway/bin/python -m pip uninstall --yes --quiet pip setuptools

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="s3gateway" \
      org.opencontainers.image.description="One S3 endpoint in front of AWS S3, lakeFS and any other S3-compatible store" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/s3gateway /opt/s3gateway
ENV PATH=/opt/s3gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    S3GATEWAY_LISTEN=0.0.0.0:8080
USER 65532:65532
EXPOSE 8080
# It drains at SIGTERM: give `docker stop` longer than the 30 seconds of --drain-timeout.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=6 CMD ["s3gateway", "health"]
ENTRYPOINT ["s3gateway"]
# Without a file (LAKEFS_* and AWS_* variables alone): docker run ... s3gateway serve
CMD ["serve", "--config", "/etc/s3gateway/gateway.yaml"]
