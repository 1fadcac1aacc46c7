"""Generate a large warehouse with realistic names, and queries of which the expected hit is known.

Names combine a database, a schema of a layer and a domain, and a table of an entity with qualifiers. Each table has
nine common columns and one that few others have, and a description.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tessera_gql.store.tables import new_id

START = datetime(2026, 1, 1, tzinfo=UTC)
TEAMS = 200
Row = dict[str, Any]

DATABASES = ("prod", "analytics", "lake")
LAYERS = ("raw", "staging", "intermediate", "marts", "reporting")
DOMAINS = (
    "finance", "sales", "marketing", "logistics", "inventory", "support", "billing", "identity", "payments", "risk",
    "pricing", "catalog", "returns", "loyalty", "growth", "people", "legal", "procurement", "fulfillment", "fraud",
    "search", "ads", "media", "mobile", "website", "retail", "wholesale", "treasury", "tax", "insurance",
)  # fmt: skip
PREFIXES = ("stg", "int", "fct", "dim", "agg", "snap", "base", "rpt")
SOURCES = (
    "shopify", "stripe", "salesforce", "zendesk", "hubspot", "netsuite", "google_analytics", "adyen", "workday",
    "segment", "mixpanel", "braze", "snowplow", "sap", "oracle", "jira", "marketo", "zuora", "chargebee", "intercom",
)  # fmt: skip
ENTITIES = (
    "orders", "order_items", "customers", "products", "invoices", "payments", "refunds", "shipments", "sessions",
    "page_views", "accounts", "contacts", "opportunities", "leads", "campaigns", "tickets", "subscriptions",
    "employees", "warehouses", "suppliers", "stores", "vouchers", "transactions", "ledger_entries", "balances",
    "exchange_rates", "budgets", "forecasts", "addresses", "devices", "events", "notifications", "emails",
    "experiments", "segments", "cohorts", "reviews", "ratings", "carts", "checkouts", "deliveries", "carriers",
    "stock_levels", "purchase_orders", "contracts", "claims", "policies", "territories", "quotas", "commissions",
)  # fmt: skip
QUALIFIERS = (
    "", "daily", "weekly", "monthly", "hourly", "snapshot", "history", "latest", "enriched", "deduplicated", "pivoted",
    "by_region", "by_country", "by_channel", "by_product", "summary", "detail", "eu", "us", "apac", "current",
)  # fmt: skip
COLUMNS = (
    "id", "created_at", "updated_at", "customer_id", "order_id", "product_id", "amount", "currency", "status",
    "country", "email", "quantity", "is_deleted", "channel", "region", "source_system", "loaded_at", "account_id",
    "name", "type",
)  # fmt: skip
RARE = tuple(
    tuple(pieces.split())
    for pieces in (
        "gross net expected lifetime rolling weighted adjusted normalized projected settled disputed deferred",
        "margin churn discount shipping retention conversion latency coverage utilization backlog penalty",
        "ratio score usd bucket percentile rank delta index threshold variance baseline quartile cohort",
        "q1 q2 q3 q4 ytd mtd wow yoy trailing lagged median peak floor cap target actual",
    )
)
"""The words of columns that few tables have."""
STARTS, ENDS = "al be ca do er fi gu ha", "ton ville mark stad berg"
EXTRA = tuple(f"{start}{end}" for start in STARTS.split() for end in ENDS.split())


@dataclass(frozen=True)
class Table:
    """A table of the generated warehouse."""

    id: UUID
    fqn: str
    rare_column: str
    description: str


@dataclass(frozen=True)
class Query:
    """A text to search for, and the names of which one must be among the first hits."""

    kind: str
    text: str
    expected: frozenset[str]


def generate_tables(count: int, seed: int = 19) -> list[Table]:
    """Generate tables with distinct names; a smaller warehouse is a part of a larger one."""
    generator, tables, names = random.Random(seed), list[Table](), set[str]()
    while len(tables) < count:
        fqn = _name(generator)
        rare = "_".join([*(generator.choice(pieces) for pieces in RARE), generator.choice(EXTRA)])
        subject = fqn.rpartition(".")[2].replace("_", " ")
        town = generator.choice(EXTRA)
        if fqn not in names:
            names.add(fqn)
            description = (
                f"One row for each of the {subject}, maintained for {town} since {generator.randint(2009, 2026)}."
            )
            tables.append(Table(new_id(), fqn, rare, description))
    return tables


def _name(generator: random.Random) -> str:
    schema = f"{generator.choice(LAYERS)}_{generator.choice(DOMAINS)}"
    parts = [generator.choice(PREFIXES), generator.choice(SOURCES), generator.choice(ENTITIES)]
    parts += filter(None, [generator.choice(QUALIFIERS)])
    return f"{generator.choice(DATABASES)}.{schema}.{'_'.join(parts)}"


def generate_rows(tables: Sequence[Table], seed: int = 20) -> tuple[list[Row], list[Row], list[Row]]:
    """Generate the rows of teams, assets and contracts."""
    generator = random.Random(seed)
    teams = [_team(f"{DOMAINS[index % len(DOMAINS)]}-{LAYERS[index % 5]}-{index}") for index in range(TEAMS)]
    assets = [_asset(table, generator.choice(teams)["id"]) for table in tables]
    contracts = [
        create_contract(table.rare_column, asset, generator) for table, asset in zip(tables, assets, strict=True)
    ]
    return teams, assets, contracts


def _team(name: str) -> Row:
    return {"id": new_id(), "name": name, "name_key": name, "meta": {}, "row_version": 1, "created_at": START}


def _asset(table: Table, owner: UUID) -> Row:
    return {
        "id": table.id,
        "fqn": table.fqn,
        "fqn_key": table.fqn,
        "owner_team_id": owner,
        "resource_type": "TABLE",
        "description": table.description,
        "compatibility_mode": "BACKWARD",
        "meta": {},
        "row_version": 1,
        "created_at": START,
    }


def create_contract(rare_column: str, asset: Row, generator: random.Random) -> Row:
    """Create the row of the contract of an asset, with nine common columns and a rare one."""
    names = [*generator.sample(COLUMNS, 9), rare_column]
    return {
        "id": new_id(),
        "asset_id": asset["id"],
        "version": "1.0.0",
        "schema_def": {"type": "object", "properties": {name: {"type": "string"} for name in names}},
        "guarantees": None,
        "compatibility_mode": "BACKWARD",
        "status": "ACTIVE",
        "change_type": "INITIAL",
        "schema_hash": "0" * 64,
        "published_by": asset["owner_team_id"],
        "published_at": START,
        "meta": {},
        "created_at": START,
    }


def generate_queries(tables: Sequence[Table], count: int, seed: int = 21) -> Iterator[Query]:
    """Generate queries of six kinds about random tables, with the names that match as well as that of the table."""
    generator = random.Random(seed)
    by_rare: dict[str, set[str]] = {}
    by_terms: dict[frozenset[str], set[str]] = {}
    for table in tables:
        by_rare.setdefault(table.rare_column, set()).add(table.fqn)
        by_terms.setdefault(frozenset(_terms(table.fqn)), set()).add(table.fqn)
    for number in range(count):
        table = generator.choice(tables)
        terms = [*dict.fromkeys(_terms(table.fqn))][:8]
        same = frozenset(by_terms[frozenset(_terms(table.fqn))])
        shuffled = generator.sample(terms, len(terms))
        rare = table.rare_column.replace("_", " ")
        match number % 6:
            case 0:
                yield Query("name", table.fqn, frozenset({table.fqn}))
            case 1:
                yield Query("words", " ".join(shuffled), same)
            case 2:
                yield Query("typo", misspell(" ".join(shuffled), generator), same)
            case 3:
                yield Query("column", rare, frozenset(by_rare[table.rare_column]))
            case 4:
                yield Query("column typo", misspell(rare, generator), frozenset(by_rare[table.rare_column]))
            case _:
                yield Query("upper case", table.fqn.upper().replace(".", " "), frozenset({table.fqn}))


def _terms(fqn: str) -> list[str]:
    return fqn.replace(".", "_").split("_")


def misspell(text: str, generator: random.Random) -> str:
    """Replace, leave out, add or exchange one letter of a word of at least four."""
    pieces = text.split()
    index = generator.choice([index for index, piece in enumerate(pieces) if len(piece) > 3])
    piece, letter = pieces[index], generator.choice("abcdefghijklmnopqrstuvwxyz")
    at = generator.randrange(len(piece) - 1)
    match generator.randrange(4):
        case 0:
            piece = piece[:at] + letter + piece[at + 1 :]
        case 1:
            piece = piece[:at] + piece[at + 1 :]
        case 2:
            piece = piece[:at] + letter + piece[at:]
        case _:
            piece = piece[:at] + piece[at + 1] + piece[at] + piece[at + 2 :]
    return " ".join([*pieces[:index], piece, *pieces[index + 1 :]])
