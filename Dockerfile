# The wheel is built in the first stage and installed, with its locked dependencies, in the second. The process writes nothing
# but what it is told to: it runs on a read-only root with a /tmp (spooled uploads, figures that processes share).
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip wheel --no-cache-dir --require-hashes --wheel-dir /wheels -r requirements.lock
COPY tessera_gql ./tessera_gql
COPY migrations ./migrations
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
RUN useradd --create-home --home-dir /srv/tessera --uid 10001 tessera
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels "tessera-gql[tracing,mcp]" && rm -rf /wheels
USER 10001
WORKDIR /srv/tessera
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 API_HOST=0.0.0.0 API_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['API_PORT'] + '/readyz', timeout=4)"]
ENTRYPOINT ["tessera"]
CMD ["serve"]
