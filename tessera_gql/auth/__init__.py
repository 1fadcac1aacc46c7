"""Authentication by API keys and by tokens of an OIDC issuer."""

from tessera_gql.auth.identity import BadCredential, Identity
from tessera_gql.auth.keys import Issuer, Keys

__all__ = ["BadCredential", "Identity", "Issuer", "Keys"]
