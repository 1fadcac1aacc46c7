"""Authentication by API keys and by tokens of an OIDC issuer."""

from tessera_gql.auth.identity import Identity, InvalidCredential
from tessera_gql.auth.keys import Authenticator, TokenIssuer

__all__ = ["Authenticator", "Identity", "InvalidCredential", "TokenIssuer"]
