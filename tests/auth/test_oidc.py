"""JWTs of an OIDC issuer, valid and hostile, verified with keys from a JWKS file or address."""

import asyncio
import base64
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from tessera_gql.auth import Authenticator, Identity, InvalidCredential
from tessera_gql.auth.oidc import ExpectedClaims, Jwks, JwksIssuer
from tessera_gql.errors import Unavailable
from tessera_gql.policy.access import ANONYMOUS, Scope
from tessera_gql.store.database import Database
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving
from tests.conftest import START, FixedClock
from tests.world import World

ISSUER, AUDIENCE = "https://login.example.com/", "tessera"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa"})
NOW = int(START.timestamp())

Identify = Callable[[str], Awaitable[Identity]]


@dataclass
class Seconds:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class IssuerKeys:
    """An issuer's key file and a server that reads it."""

    file: Path
    database: Database
    seconds: Seconds = field(default_factory=Seconds)

    def write(self, *keys: Any) -> None:
        self.file.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in keys]}))

    def authenticator(self) -> Authenticator:
        jwks = Jwks(str(self.file), self.seconds)
        issuer = JwksIssuer(self.database, jwks, ExpectedClaims(ISSUER, AUDIENCE))
        return Authenticator(self.database, issuer=issuer, monotonic=self.seconds)


@pytest.fixture
def issuer(tmp_path: Path, database: Database) -> IssuerKeys:
    identities = IssuerKeys(tmp_path / "jwks.json", database)
    identities.write(RSA, EC)
    return identities


@pytest.fixture
def identify(issuer: IssuerKeys) -> Identify:
    authenticator = issuer.authenticator()

    async def run(token: str) -> Identity:
        return await authenticator.identify(f"Bearer {token}")

    return run


def claims(**changed: Any) -> dict[str, Any]:
    values = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann@example.com",
        "exp": NOW + 600,
        "team": "Shop",
        "scope": "openid tessera:write",
    }
    return {name: value for name, value in (values | changed).items() if value is not None}


def signed(key: Any = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **changed: Any) -> str:
    return jwt.encode({"kid": key.kid, **(header or {}), "alg": alg}, claims(**changed), key, algorithms=[alg])


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256")])
async def test_a_valid_token_identifies_a_caller_with_a_team_and_scopes(
    identify: Identify, world: World, key: Any, alg: str
) -> None:
    team = await world.team("shop")
    identity = await identify(signed(key, alg))
    assert identity.actor.name == "oidc:ann@example.com"
    assert identity.actor.team_id == team.id
    assert identity.actor.scopes == {Scope.WRITE}
    assert identity.actor.has_scope(Scope.READ)
    assert not identity.actor.is_admin


@pytest.mark.parametrize("scope", ["tessera:read tessera:admin", ["x", "tessera:admin", 7]])
async def test_scopes_are_a_space_separated_text_or_a_list(identify: Identify, scope: Any) -> None:
    assert (await identify(signed(scope=scope))).actor.is_admin


async def test_audiences_may_be_several(identify: Identify) -> None:
    assert (await identify(signed(aud=["other", AUDIENCE]))).actor.scopes


async def test_a_token_of_an_archived_team_is_refused(identify: Identify, world: World) -> None:
    team = await world.team("shop")
    async with world.database.write() as session:
        await archiving.archive_team(session, ANONYMOUS, TeamRef(id=team.id))
    with pytest.raises(InvalidCredential, match="The team shop of this token is archived"):
        await identify(signed(team="shop"))


@pytest.mark.parametrize("team", [None, "nobody", 7, ["shop"], "a\x00b"])
async def test_an_unknown_team_claim_is_no_team(identify: Identify, world: World, team: Any) -> None:
    await world.team("shop")
    assert (await identify(signed(team=team))).actor.team_id is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exp": NOW - 61}, "has expired"),
        ({"exp": None}, "not meant for this server"),
        ({"exp": "soon"}, "not meant for this server"),
        ({"nbf": NOW + 61}, "not meant for this server"),
        ({"iss": "https://evil.example.com/"}, "not meant for this server"),
        ({"iss": None}, "not meant for this server"),
        ({"aud": "another"}, "not meant for this server"),
        ({"aud": None}, "not meant for this server"),
        ({"sub": None}, "not meant for this server"),
        ({"sub": "a\nb"}, "not a name"),
        ({"scope": None}, "gives no right here"),
        ({"scope": "admin write tessera:everything"}, "gives no right here"),
        ({"scope": {"tessera:admin": True}}, "gives no right here"),
    ],
)
async def test_a_signed_token_with_wrong_claims_is_refused_with_the_reason(
    identify: Identify, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidCredential, match=said):
        await identify(signed(**changed))


ABSURD: tuple[Any, ...] = (
    *(10**18, 10**400, -(10**18), 1e300, float("inf"), float("nan"), -0.0, True, "tomorrow", "9" * 4000),
    *([], [1], {}, {"a": 1}, [[[]]]),
)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat", "iss", "aud", "sub", "scope", "jti"])
async def test_an_absurd_claim_is_refused_as_an_invalid_credential(identify: Identify, claim: str) -> None:
    outcomes = [await outcome(identify, signed(**{claim: value})) for value in ABSURD]
    assert not [outcome for outcome in outcomes if outcome not in ("good", "refused")]
    if claim in ("exp", "iss", "aud", "scope"):
        assert set(outcomes) == {"refused"}


async def test_a_header_that_nests_deep_or_is_not_ascii_is_an_invalid_credential(identify: Identify) -> None:
    body = signed().partition(".")[2]
    nested = [f'{{"kid": "rsa", "alg": "RS256", "x": {"[" * depth}{"]" * depth}}}' for depth in (900, 1000, 1020, 5000)]
    tokens = [f"{base64.urlsafe_b64encode(header.encode()).decode().rstrip('=')}.{body}" for header in nested]
    for token in (*tokens, f"é.{body}", "é.é.é", "\ud800.a.b", f"{signed()}é"):
        assert await outcome(identify, token) == "refused"


async def outcome(identify: Identify, token: str) -> str:
    try:
        await identify(token)
    except InvalidCredential:
        return "refused"
    return "good"


async def test_clocks_may_differ_by_a_minute(identify: Identify) -> None:
    assert await identify(signed(exp=NOW - 59, nbf=NOW + 59))


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def by_secret(secret: bytes) -> str:
    """Build the token by hand, because no library signs with such a secret."""
    body = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(claims())}"
    signature = hmac.digest(secret, body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


HOSTILE = {
    "no algorithm": lambda: f"{part({'alg': 'none', 'kid': 'rsa'})}.{part(claims())}.",
    "no algorithm, in capitals": lambda: f"{part({'alg': 'NONE', 'kid': 'rsa'})}.{part(claims())}.",
    "the public key as a shared secret": lambda: by_secret(RSA.as_pem(private=False)),
    "the public key's numbers as a shared secret": lambda: by_secret(
        base64.urlsafe_b64decode(RSA.as_dict()["n"] + "==")
    ),
    "another key of the same name": lambda: signed(OTHER),
    "a key that is not the issuer's": lambda: signed(header={"kid": "unknown"}),
    "no key named": lambda: jwt.encode({"alg": "RS256"}, claims(), RSA, ["RS256"]),
    "a key of the wrong kind": lambda: signed(header={"kid": "ec"}),
    "a key brought along": lambda: signed(OTHER, header={"jwk": OTHER.as_dict(private=False)}),
    "a key to be fetched": lambda: signed(OTHER, header={"jku": "https://evil.example.com/jwks"}),
    "a changed body": lambda: _with_body(signed(), claims(scope="tessera:admin")),
    "a cut signature": lambda: signed()[:-4],
    "no signature": lambda: signed().rpartition(".")[0] + ".",
    "an extension that must be understood": lambda: signed(OTHER, header={"crit": ["b64"], "b64": False}),
    "a header that is no object": lambda: f"{part(['rsa'])}.{part(claims())}.x",
    "a header that is no JSON": lambda: f"AAAA.{part(claims())}.x",
    "a key named by a number": lambda: f"{part({'alg': 'RS256', 'kid': 7})}.{part(claims())}.x",
    "three dots of nothing": lambda: "..",
    "a token without end": lambda: f"{part({'alg': 'RS256', 'kid': 'rsa'})}.{'A' * 100_000}.x",
}


def _with_body(token: str, body: Any) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{part(body)}.{signature}"


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_token_is_refused_only_as_not_signed(identify: Identify, name: str) -> None:
    with pytest.raises(InvalidCredential, match="not signed by the issuer"):
        await identify(HOSTILE[name]())


async def test_a_symmetric_key_of_the_issuer_is_ignored(issuer: IssuerKeys) -> None:
    secret = OctKey.generate_key(256, {"kid": "secret"})
    issuer.file.write_text(json.dumps({"keys": [RSA.as_dict(private=False), secret.as_dict(private=True)]}))
    token = jwt.encode({"alg": "HS256", "kid": "secret"}, claims(), secret, ["HS256"])
    with pytest.raises(InvalidCredential, match="not signed by the issuer"):
        await issuer.authenticator().identify(f"Bearer {token}")


async def test_an_unknown_key_id_reloads_the_issuers_keys_at_a_limited_rate(issuer: IssuerKeys) -> None:
    issuer.write(EC)
    authenticator = issuer.authenticator()
    with pytest.raises(InvalidCredential):
        await authenticator.identify(f"Bearer {signed()}")
    issuer.write(EC, RSA)
    with pytest.raises(InvalidCredential):
        await authenticator.identify(f"Bearer {signed()}")
    issuer.seconds.now += 31
    assert await authenticator.identify(f"Bearer {signed()}")


async def test_a_withdrawn_key_is_accepted_for_ten_minutes_at_most(issuer: IssuerKeys) -> None:
    authenticator = issuer.authenticator()
    token = f"Bearer {signed(exp=NOW + 6000)}"
    await authenticator.identify(token)
    issuer.write(EC)
    issuer.seconds.now += 601
    with pytest.raises(InvalidCredential, match="not signed by the issuer"):
        await authenticator.identify(token)


async def test_cached_keys_stay_valid_when_they_can_not_be_reloaded(issuer: IssuerKeys) -> None:
    authenticator = issuer.authenticator()
    await authenticator.identify(f"Bearer {signed()}")
    issuer.file.unlink()
    issuer.seconds.now += 601
    assert await authenticator.identify(f"Bearer {signed()}")


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"keys": []}', '{"keys": [7]}', '{"keys": {"kty": 1}}'])
async def test_keys_that_could_never_be_loaded_are_reported_as_unavailable(
    issuer: IssuerKeys, content: str | None
) -> None:
    if content is None:
        issuer.file.unlink()
    else:
        issuer.file.write_text(content)
    with pytest.raises(Unavailable, match="can't be read now"):
        await issuer.authenticator().identify(f"Bearer {signed()}")


async def test_an_expired_token_ends_its_streams(issuer: IssuerKeys, clock: FixedClock) -> None:
    authenticator = issuer.authenticator()
    identity = await authenticator.identify(f"Bearer {signed(exp=NOW + 10)}")
    clock.advance(seconds=71)
    authenticator.expire()
    assert identity.ended.is_set()
    with pytest.raises(InvalidCredential, match="expired"):
        await authenticator.identify(f"Bearer {signed(exp=NOW + 10)}")


async def test_keys_are_fetched_from_an_address_once_for_many_callers(issuer: IssuerKeys) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        body = issuer.file.read_bytes()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        jwks = Jwks(f"http://127.0.0.1:{port}/jwks", issuer.seconds)
        authenticator = Authenticator(
            issuer.database, issuer=JwksIssuer(issuer.database, jwks, ExpectedClaims(ISSUER, AUDIENCE))
        )
        tokens = [signed(sub=f"user-{number}") for number in range(5)]
        identities = await asyncio.gather(*(authenticator.identify(f"Bearer {token}") for token in tokens))
    assert {identity.actor.name for identity in identities} == {f"oidc:user-{number}" for number in range(5)}
    assert len(asked) == 1
