"""Settings: one environment variable each, with default and description, read once at the start."""

from tessera_gql.config.settings import (
    Auth,
    Executor,
    InvalidSettings,
    Profile,
    Settings,
    find_source,
    load,
    read_environment,
    secret_texts,
)

__all__ = [
    "Auth",
    "Executor",
    "InvalidSettings",
    "Profile",
    "Settings",
    "find_source",
    "load",
    "read_environment",
    "secret_texts",
]
