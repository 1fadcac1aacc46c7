"""Authentication by API keys and by tokens of an OIDC issuer."""

from tessera_gql.auth.identity import BadCredential, Identity
from tessera_gql.auth.keys import Authenticator, TokenIssuer

__all__ = ["Authenticator", "BadCredential", "Identity", "TokenIssuer"]
