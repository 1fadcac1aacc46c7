# The wheel is built in the first stage and installed, with its locked dependencies, in the second.
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
RUN pip install --no-cache-dir --no-index --find-links /wheels tessera-gql && rm -rf /wheels
USER tessera
WORKDIR /srv/tessera
ENV PYTHONUNBUFFERED=1
EXPOSE 8000
ENTRYPOINT ["tessera"]
CMD ["serve"]
