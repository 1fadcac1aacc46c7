"""Rate limits of a key, which `server/rate_limit.py` enforces."""

import re

from pydantic import field_validator
from pydantic_settings import BaseSettings

from tessera_gql.config.fields import setting

RATE = re.compile(r"[1-9]\d{0,8}/(second|minute|hour|day)")


class RateLimitSettings(BaseSettings):
    """Settings of the rate limits; None is no limit."""

    rate_limit_mutations: str | None = setting(
        "600/minute", "Mutations that a key may call per time unit, such as `600/minute`; `off` for no limit."
    )
    rate_limit_cost: str | None = setting(
        "100000/minute",
        "Estimated objects that a key may query per time unit, such as `100000/minute`; `off` for no limit.",
    )

    @field_validator("rate_limit_mutations", "rate_limit_cost")
    @classmethod
    def _check_rate(cls, value: str | None) -> str | None:
        if value is None or value == "off":
            return None
        if not RATE.fullmatch(value):
            raise ValueError("Write a number per second, minute, hour or day, for example 600/minute, or `off`.")
        return value
