# The wheels are built in the first stage and installed, with their locked dependencies, in the second, which mounts them: they
# leave no layer. The process runs on a read-only root and writes to /tmp (spooled uploads, figures that
# processes share), and with SQLite or a git checkout on a volume at /var/lib/tessera.
# `deploy/build` gives the arguments; docs/install.md explains them. The name of the base may end in @sha256:… to pin it.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
# pip reads this variable: the address of another package index.
ARG PIP_INDEX_URL
WORKDIR /src
COPY requirements-build.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && pip wheel --no-cache-dir --require-hashes --wheel-dir /wheels -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY tessera_gql ./tessera_gql
COPY migrations ./migrations
RUN pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir /wheels .

FROM ${PYTHON_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
ARG PYTHON_IMAGE
# Packages of Debian to install as well, such as `git` for `tessera git push --message`.
ARG DEBIAN_PACKAGES=""
LABEL org.opencontainers.image.title="Tessera GQL" \
      org.opencontainers.image.description="Data contracts as a graph: a breaking change waits until the affected teams have answered." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
# Group 0 has the rights of the user: OpenShift runs containers as any user of that group.
RUN useradd --no-create-home --home-dir /var/lib/tessera --uid 10001 --gid 0 tessera \
    && install --directory --owner 10001 --group 0 --mode 2770 /var/lib/tessera
# hadolint ignore=DL3008,SC2086
RUN if [ -n "${DEBIAN_PACKAGES}" ]; then \
      apt-get update && apt-get install -y --no-install-recommends ${DEBIAN_PACKAGES} && rm -rf /var/lib/apt/lists/*; \
    fi
# hadolint ignore=DL3013
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels "tessera-gql[tracing,mcp]"
COPY --chmod=755 deploy/container/healthcheck /usr/local/bin/tessera-healthcheck
RUN --mount=type=bind,source=deploy/container/sbom.py,target=/sbom.py \
    python /sbom.py > /usr/local/share/tessera-sbom.cdx.json
USER 10001:0
WORKDIR /var/lib/tessera
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/var/lib/tessera API_HOST=0.0.0.0 API_PORT=8000 WORKER_PROBES=on
EXPOSE 8000
# Servers and workers answer it alike.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["tessera-healthcheck"]
ENTRYPOINT ["tessera"]
CMD ["serve"]
