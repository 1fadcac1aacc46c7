"""Queries of the comments on proposals."""

from tessera_gql.store.session import RowQuery
from tessera_gql.store.tables import Comment, table

TABLE = table(Comment)
by_ids = RowQuery(Comment, "id")
