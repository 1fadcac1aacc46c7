"""schemathesis: operations made from the schema and beside it, bounded in number and time; no server error, no hang."""

EXAMPLES = 5
"""Operations made for each root field."""
SECONDS = 400
