"""Settings: which ones require keys, and how invalid or contradictory values are reported."""

import pytest

from tessera_gql.config import InvalidSettings, Settings, load
from tessera_gql.diff import Mode

KEY = "an-administrators-key-for-this-test"
POSTGRESQL = {"DATABASE_URL": "postgresql://tessera@db/tessera"}
OIDC = {"OIDC_ISSUER": "https://login.example.com/", "OIDC_AUDIENCE": "tessera", "OIDC_JWKS": "jwks.json"}
LOGIN = OIDC | {"OIDC_CLIENT_ID": "console", "PUBLIC_URL": "https://data.example.com"}


@pytest.fixture(autouse=True)
def _only_what_is_said_here(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.chdir(str(tmp_path))
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def load_with(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


@pytest.mark.parametrize(
    ("environment", "needs_keys", "is_open"),
    [
        ({}, False, True),
        ({"API_HOST": "localhost"}, False, True),
        ({"API_HOST": "::1"}, False, True),
        ({"ADMIN_KEY": KEY}, True, False),
        (OIDC, True, False),
        ({"API_HOST": "0.0.0.0"}, True, False),
        ({"API_HOST": "gateway.example.com"}, True, False),
        ({"AUTH": "on"}, True, False),
        ({"AUTH": "off", "ADMIN_KEY": KEY}, False, True),
        ({"AUTH": "on", "PROFILE": "open"}, True, True),
        ({"PROFILE": "locked"}, False, False),
        ({"AUTH": "", "PROFILE": ""}, False, True),
    ],
)
def test_keys_are_required_wherever_the_server_is_reachable(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], needs_keys: bool, is_open: bool
) -> None:
    settings = load_with(monkeypatch, **environment)
    assert (settings.needs_keys, settings.has_open_profile) == (needs_keys, is_open)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"AUTH": "off", "API_HOST": "0.0.0.0"}, "AUTH: it is off, but 0.0.0.0 can be reached from other machines"),
        ({"AUTH": "perhaps"}, "AUTH: "),
        ({"PROFILE": "ajar"}, "PROFILE: "),
        ({"ADMIN_KEY": "short"}, "ADMIN_KEY: "),
        ({"DEFAULT_COMPATIBILITY_MODE": "strict"}, "DEFAULT_COMPATIBILITY_MODE: "),
        ({"OIDC_ISSUER": "x", "OIDC_JWKS": "jwks.json"}, "OIDC_AUDIENCE: it is needed beside OIDC_ISSUER"),
        ({"OIDC_AUDIENCE": "x"}, "OIDC_ISSUER: it is needed beside OIDC_AUDIENCE"),
        (OIDC | {"OIDC_JWKS": "http://login.example.com/jwks"}, "OIDC_JWKS: Keys that come over http"),
        (OIDC | {"OIDC_CLIENT_ID": "console"}, "OIDC_CLIENT_ID: people come back to PUBLIC_URL, which is not set"),
        ({"OIDC_CLIENT_ID": "console"}, "OIDC_CLIENT_ID: it is a client of OIDC_ISSUER, which is not set"),
        (OIDC | {"OIDC_CLIENT_SECRET": "hidden"}, "OIDC_CLIENT_SECRET: it is the secret of OIDC_CLIENT_ID"),
        (OIDC | {"OIDC_LOGIN_SCOPES": "email"}, "OIDC_LOGIN_SCOPES: It has no `openid`"),
        (LOGIN | {"OIDC_ISSUER": "http://login.example.com/"}, "OIDC_ISSUER: people can't sign in there safely"),
        ({"RATE_LIMIT_MUTATIONS": "many"}, "RATE_LIMIT_MUTATIONS: Write a number per second"),
        ({"WORKERS": "2"}, "WORKERS: it is 2, but SQLite serves one process"),
        ({"WORKERS": "0"}, "WORKERS: "),
        ({"SHUTDOWN_SECONDS": "0"}, "SHUTDOWN_SECONDS: "),
        ({"DATABASE_REPLICA_URL": "postgresql://a/b"}, "DATABASE_REPLICA_URL: SQLite has no use for it"),
        ({"DATABASE_PGBOUNCER": "true"}, "DATABASE_PGBOUNCER: SQLite has no use for it"),
        (POSTGRESQL | {"DATABASE_REPLICA_URL": "sqlite:///a.db"}, "It is not the URL of a PostgreSQL"),
        (POSTGRESQL | {"DATABASE_REPLICA_URL": POSTGRESQL["DATABASE_URL"]}, "it is the same as DATABASE_URL"),
        (POSTGRESQL | {"DATABASE_POOL": "1"}, "DATABASE_POOL: "),
        ({"DATABASE_URL": "postgresql://a/b?sslmod=on"}, "asks for sslmod, which is not known here"),
        ({"DATABASE_URL": "postgresql://a:99999/b"}, "names the port 99999"),
        ({"DATABASE_URL": "postgresql://a"}, "names none"),
        ({"RATE_LIMIT_COST": "0/minute"}, "RATE_LIMIT_COST: Write a number per second"),
    ],
)
def test_an_invalid_setting_is_reported_by_its_name(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load_with(monkeypatch, **environment)
    assert message in str(refused.value)
    assert KEY not in str(refused.value)


def test_all_invalid_settings_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load_with(monkeypatch, AUTH="perhaps", API_PORT="x", RATE_LIMIT_COST="many", ADMIN_KEY="short")
    assert len(str(refused.value).splitlines()) == 4


def test_contradictions_are_reported_at_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load_with(monkeypatch, AUTH="off", API_HOST="0.0.0.0", OIDC_ISSUER="x")
    assert len(str(refused.value).splitlines()) == 3


def test_a_rate_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(monkeypatch, RATE_LIMIT_MUTATIONS="off", RATE_LIMIT_COST="5000/hour")
    assert (settings.rate_limit_mutations, settings.rate_limit_cost) == (None, "5000/hour")


def test_a_key_is_not_shown_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEY not in repr(load_with(monkeypatch, ADMIN_KEY=KEY))


@pytest.mark.parametrize(
    ("text", "mode"), [("", None), ("FULL", Mode.FULL), ("consumer", Mode.CONSUMER), (" None ", Mode.NONE)]
)
def test_the_default_mode_is_written_in_any_case(monkeypatch: pytest.MonkeyPatch, text: str, mode: Mode | None) -> None:
    assert load_with(monkeypatch, DEFAULT_COMPATIBILITY_MODE=text).default_compatibility_mode is mode


@pytest.mark.parametrize(
    ("environment", "expected_url"),
    [
        ({}, None),
        (POSTGRESQL, POSTGRESQL["DATABASE_URL"]),
        (POSTGRESQL | {"DATABASE_PGBOUNCER": "on"}, None),
        (POSTGRESQL | {"DATABASE_PGBOUNCER": "on", "DATABASE_LISTEN_URL": "postgresql://b/c"}, "postgresql://b/c"),
    ],
)
def test_the_server_does_not_listen_through_a_pgbouncer(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected_url: str | None
) -> None:
    assert load_with(monkeypatch, **environment).listen_url == expected_url
