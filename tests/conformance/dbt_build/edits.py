"""Edits of the shop as pull requests make them, with what readers of the built tables meet afterwards."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SHOP = Path(__file__).with_name("shop")
BASE = "base"

ORDERS = "models/orders.sql"
CUSTOMERS = "models/customers.sql"
REVENUE = "models/daily_revenue.sql"
YAML = "models/shop.yml"
PROMISED_VALUES = {"analytics.orders.status": {"placed", "shipped", "returned"}}
"""The values of columns with a test `accepted_values` in the base."""


@dataclass(frozen=True)
class Edit:
    """An edit, and the readers of the columns that it hurts, as `schema.table.column`.

    `hurts` are readers whose query fails, or returns another type, nulls where there were none, or a value that was not
    promised. `stricter` are readers that the gate asks though the new tables don't hurt them, with the reason.
    `unpromised` are hurt readers that the gate can't know of, with the reason.
    """

    name: str
    replacements: tuple[tuple[str, str, str], ...] = ()
    """File, old text, new text. The old text occurs exactly once."""
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The new paths of a file, which has several if it is copied, and none if it is deleted."""
    hurts: tuple[str, ...] = ()
    stricter: Mapping[str, str] = field(default_factory=dict[str, str])
    unpromised: Mapping[str, str] = field(default_factory=dict[str, str])

    def create(self, folder: Path) -> None:
        """Write the edited project."""
        copy_shop(folder / self.name)
        for file, old, new in self.replacements:
            path = folder / self.name / file
            text = path.read_text()
            assert text.count(old) == 1, f"{self.name}: {file} has {old!r} {text.count(old)} times"
            path.write_text(text.replace(old, new))
        for file, targets in self.moved.items():
            source = folder / self.name / file
            for target in targets:
                shutil.copy(source, folder / self.name / target)
            source.unlink()


def copy_shop(target: Path) -> None:
    shutil.copytree(SHOP, target)


def columns(table: str, *names: str) -> tuple[str, ...]:
    return tuple(f"analytics.{table}.{name}" for name in names)


ORDERS_COLUMNS = columns("orders", "order_id", "customer_id", "ordered_on", "status", "amount", "coupon", "is_large")
CUSTOMERS_COLUMNS = columns("customers", "customer_id", "name", "country_name", "region")
REVENUE_COLUMNS = columns("daily_revenue", "ordered_on", "order_count", "revenue")
COUPON_YAML = "      - name: coupon\n        description: The code that the customer entered.\n"
CUSTOMER_ID_YAML = "      - name: customer_id\n        data_tests: [not_null]\n"
COUNTRY_YAML = "      - name: country_name\n        data_tests: [not_null]\n"
STATUS_VALUES = "values: [placed, shipped, returned]"
REVENUE_YAML = f"  - name: daily_revenue{(SHOP / YAML).read_text().partition('  - name: daily_revenue')[2]}"
ORDERS_YAML = "  - name: orders\n    description: Every order of a customer.\n"
VERSIONS_YAML = ORDERS_YAML + "    latest_version: 2\n    versions:\n      - v: 1\n{config}      - v: 2\n"
VERSION_FILES = {ORDERS: ("models/orders_v1.sql", "models/orders_v2.sql")}
ALIAS_YAML = "        config: { alias: orders }\n"
ADD_COLUMN = (ORDERS, "    coupon,\n", "    coupon,\n    ordered_at as ordered_at_source,\n")
WIDENED = "the mode CONSUMER promises the family of a type and not its size, as databases convert within a family"

MADE_FROM = "the column is made from the one that changes, and its values may change with it"
JOINED_BY = "the table is joined by the column, so that rows may be missing from it"

EDITS = (
    Edit(
        "declared column dropped",
        ((ORDERS, "    coupon,\n", ""), (YAML, COUPON_YAML, "")),
        hurts=columns("orders", "coupon"),
    ),
    Edit(
        "undeclared column dropped",
        ((ORDERS, "    coupon,\n    amount >= 100 as is_large\n", "    coupon\n"),),
        hurts=columns("orders", "is_large"),
    ),
    Edit("column dropped but still declared", ((ORDERS, "    coupon,\n", ""),), hurts=columns("orders", "coupon")),
    Edit("column no longer declared", ((YAML, COUPON_YAML, ""),)),
    Edit(
        "column renamed",
        ((ORDERS, "    coupon,\n", "    coupon as coupon_code,\n"), (YAML, "name: coupon\n", "name: coupon_code\n")),
        hurts=columns("orders", "coupon"),
    ),
    Edit(
        "type changed",
        ((ORDERS, "amount >= 100 as is_large", "case when amount >= 100 then 'yes' else 'no' end as is_large"),),
        hurts=columns("orders", "is_large"),
    ),
    Edit(
        "integer widened",
        ((ORDERS, "id as order_id", "cast(id as bigint) as order_id"),),
        hurts=columns("orders", "order_id"),
        unpromised={"analytics.orders.order_id": WIDENED},
    ),
    Edit(
        "scale of a decimal reduced",
        ((ORDERS, "decimal(10, 2)", "decimal(10, 1)"),),
        hurts=columns("orders", "amount"),
        stricter={"analytics.daily_revenue.revenue": MADE_FROM},
    ),
    Edit(
        "decimal widened",
        ((ORDERS, "decimal(10, 2)", "decimal(12, 2)"),),
        hurts=columns("orders", "amount"),
        unpromised={"analytics.orders.amount": WIDENED},
    ),
    Edit(
        "not null given up, and nulls come",
        ((ORDERS, "where customer_id is not null\n", ""), (YAML, CUSTOMER_ID_YAML, "")),
        hurts=columns("orders", "customer_id"),
        stricter=dict.fromkeys(REVENUE_COLUMNS, JOINED_BY),
    ),
    Edit(
        "not null given up, and no nulls come",
        ((YAML, CUSTOMER_ID_YAML, ""),),
        stricter={
            "analytics.orders.customer_id": "the promise ends, and the next load may bring nulls",
            **dict.fromkeys(REVENUE_COLUMNS, JOINED_BY),
        },
    ),
    Edit(
        "not null promised", ((YAML, COUPON_YAML, COUPON_YAML + "      - { name: amount, data_tests: [not_null] }\n"),)
    ),
    Edit(
        "accepted value added",
        (
            (ORDERS, "    status,\n", "    case status when 'returned' then 'refunded' else status end as status,\n"),
            (YAML, STATUS_VALUES, "values: [placed, shipped, returned, refunded]"),
        ),
        hurts=columns("orders", "status"),
    ),
    Edit(
        "accepted value removed",
        (
            (ORDERS, "where customer_id is not null", "where customer_id is not null and status <> 'returned'"),
            (YAML, STATUS_VALUES, "values: [placed, shipped]"),
        ),
    ),
    Edit("rows filtered", ((ORDERS, "is not null", "is not null and status <> 'returned'"),)),
    Edit(
        "outer join, and a promise less",
        (
            (CUSTOMERS, "inner join", "left join"),
            (CUSTOMERS, "countries.region", "coalesce(countries.region, 'unknown') as region"),
            (YAML, COUNTRY_YAML, ""),
        ),
        hurts=columns("customers", "country_name"),
    ),
    Edit(
        "outer join without a promise",
        (
            (CUSTOMERS, "inner join", "left join"),
            (CUSTOMERS, "countries.country_name", "coalesce(countries.country_name, 'unknown') as country_name"),
        ),
        hurts=columns("customers", "region"),
        unpromised={"analytics.customers.region": "no test promised a value, and neither type nor name changes"},
    ),
    Edit("column added", (ADD_COLUMN,)),
    Edit(
        "columns reordered",
        ((ORDERS, "    coupon,\n", ""), (ORDERS, "    customer_id,\n", "    coupon,\n    customer_id,\n")),
    ),
    Edit("description changed", ((YAML, "The number on the invoice.", "The number on the invoice and in the mail."),)),
    Edit(
        "uniqueness given up",
        (
            (
                YAML,
                "The number on the invoice.\n        data_tests: [not_null, unique]",
                "The number.\n        data_tests: [not_null]",
            ),
        ),
        stricter=dict.fromkeys(
            ORDERS_COLUMNS + REVENUE_COLUMNS,
            "the promise ends, and rows that come twice change the sums of every reader",
        ),
    ),
    Edit("model deleted", ((YAML, REVENUE_YAML, ""),), moved={REVENUE: ()}, hurts=REVENUE_COLUMNS),
    Edit("model disabled", ((REVENUE, "select\n", "{{ config(enabled=false) }}\nselect\n"),), hurts=REVENUE_COLUMNS),
    Edit(
        "model made ephemeral",
        ((CUSTOMERS, "select\n", "{{ config(materialized='ephemeral') }}\nselect\n"),),
        hurts=CUSTOMERS_COLUMNS,
    ),
    Edit("alias given", ((REVENUE, "select\n", "{{ config(alias='revenue') }}\nselect\n"),), hurts=REVENUE_COLUMNS),
    Edit("schema moved", ((REVENUE, "select\n", "{{ config(schema='finance') }}\nselect\n"),), hurts=REVENUE_COLUMNS),
    Edit(
        "model renamed",
        ((YAML, "  - name: daily_revenue\n", "  - name: revenue_by_day\n"),),
        moved={REVENUE: ("models/revenue_by_day.sql",)},
        hurts=REVENUE_COLUMNS,
    ),
    Edit(
        "versions without an alias",
        ((YAML, ORDERS_YAML, VERSIONS_YAML.format(config="")),),
        moved=VERSION_FILES,
        hurts=ORDERS_COLUMNS,
    ),
    Edit("versions with an alias", ((YAML, ORDERS_YAML, VERSIONS_YAML.format(config=ALIAS_YAML)),), VERSION_FILES),
    Edit("table made a view", ((REVENUE, "select\n", "{{ config(materialized='view') }}\nselect\n"),)),
    Edit(
        "contract no longer enforced",
        ((YAML, "contract: { enforced: true }", "contract: { enforced: false }"),),
        stricter=dict.fromkeys(REVENUE_COLUMNS, "dbt no longer refuses a build with other columns or types"),
    ),
    Edit(
        "source column dropped",
        (
            ("landing.sql", "  viewed_at timestamp,\n  referrer varchar\n", "  viewed_at timestamp\n"),
            ("landing.sql", "08:00:00', 'newsletter'", "08:00:00'"),
            ("landing.sql", "09:30:00', 'search'", "09:30:00'"),
            (YAML, "          - { name: referrer, data_type: varchar }\n", ""),
        ),
        hurts=("analytics.page_views.referrer", "landing.page_views.referrer"),
    ),
    Edit(
        "source column with another type",
        (("landing.sql", "  viewed_at timestamp,\n", "  viewed_at varchar,\n"),),
        hurts=("analytics.page_views.viewed_at", "landing.page_views.viewed_at"),
    ),
    Edit(
        "seed column dropped",
        (
            ("seeds/raw_customers.csv", "country_code,email,", "country_code,"),
            *(("seeds/raw_customers.csv", f"{name}@example.com,", "") for name in ("ada", "grace", "edsger", "alan")),
        ),
        hurts=columns("raw_customers", "email"),
    ),
    Edit(
        "seed column with another type",
        (("seeds/raw_customers.csv", "2024", "spring of 2024"),),
        hurts=columns("raw_customers", "signed_up_in"),
    ),
    Edit("seed row added", (("seeds/countries.csv", "US,United", "JP,Japan,APAC\nUS,United"),)),
)
