"""Tables of the search: a document for each row that can be found, and the variants of all terms.

Migration 0013 adds what SQLAlchemy has no words for: the inverted index of the terms, on SQLite an FTS5 table.
"""

# SQLModel documents a plain string for `__tablename__`, but declares its type as a descriptor.
# pyright: reportAssignmentType=false

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Text, Uuid
from sqlmodel import Field

from tessera_gql.store.tables.base import BYTE_ORDERED, SEQUENCE_TYPE, Base, column


class SearchDocument(Base, table=True):
    """What is searched of a team, an asset or a proposal. `names` to `body` hold marked terms, separated by spaces.

    `title` is the name and `leaf` its last part, as terms. `lines` has a column and its description on each line, from
    which a hit is explained. What is archived or has ended is not current. `asset_id` is that of a proposal.
    """

    __tablename__ = "search_documents"
    __table_args__ = (
        sa.UniqueConstraint("entity_id"),
        sa.Index("ix_search_documents_type_title", "type", "title"),
        sa.Index("ix_search_documents_type_leaf", "type", "leaf", "title"),
        {"schema": "core"},
    )

    number: int = Field(sa_column=sa.Column(SEQUENCE_TYPE, sa.Identity(), primary_key=True))
    type: str = column(sa.String(32))
    entity_id: UUID = column(Uuid)
    asset_id: UUID | None = column(Uuid, nullable=True, index=True)
    owner_team_id: UUID | None = column(Uuid, nullable=True)
    tier: str | None = column(sa.String(32), nullable=True)
    is_current: bool = column(sa.Boolean)
    title: str = column(BYTE_ORDERED)
    leaf: str = column(BYTE_ORDERED)
    names: str = column(Text)
    columns: str = column(Text)
    labels: str = column(Text)
    body: str = column(Text)
    lines: str = column(Text)


class SearchVariant(Base, table=True):
    """A key by which a term of some document is looked up; see `policy.search_terms.list_variants`."""

    __tablename__ = "search_variants"
    __table_args__ = ({"schema": "core"},)

    variant: str = Field(sa_column=sa.Column(BYTE_ORDERED, primary_key=True))
    term: str = Field(sa_column=sa.Column(BYTE_ORDERED, primary_key=True))
