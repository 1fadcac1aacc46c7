"""The queries of `bench reads`: a page of the catalog and one asset for all servers, and three more for this project's.

Those are pages of the console: a pull request with its proposals and asked teams, an inbox, and the lineage of a table.
"""

import json
from typing import Any

from bench._catalog import CHANGE_SET_KEY, Catalog, fqn

PAGE_QUERY = """{
  assets(first: 50) {
    nodes {
      fqn
      owner { name }
      currentContract { version registrations(first: 10) { nodes { consumerTeam { name } status } } }
      openProposal { status proposedVersion }
    }
  }
}"""
TINY_QUERY = "query ($fqn: String!) { asset(by: { fqn: $fqn }) { fqn description } }"
PULL_REQUEST_QUERY = """query ($key: String!) {
  changeSet(by: { key: $key }) {
    key
    title
    url
    status
    openedBy { name }
    proposals(first: 20) {
      totalCount
      nodes {
        id
        status
        reason
        proposedVersion
        expiresAt
        asset { fqn owner { name } }
        baseContract { version }
        breakingChanges(first: 8) { kind path message }
        acknowledgments(first: 20) {
          totalCount
          nodes { response respondedAt dueAt migrationDeadline releasedAt team { name } respondedBy { name } }
        }
      }
    }
  }
}"""
INBOX_QUERY = """query ($name: String!) {
  team(by: { name: $name }) {
    name
    inbox(first: 20) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes {
        id
        askedAt
        dueAt
        team { name }
        proposal {
          status
          reason
          proposedVersion
          expiresAt
          asset { fqn owner { name } }
          proposedBy { name }
          baseContract { version }
          acknowledgments(first: 8) { totalCount nodes { response dueAt team { name } } }
        }
      }
    }
  }
}"""
LINEAGE_QUERY = """query ($fqn: String!) {
  asset(by: { fqn: $fqn }) {
    fqn
    downstream(depth: 5, first: 100) {
      totalCount
      pageInfo { hasNextPage endCursor }
      edges { degree node { fqn resourceType owner { name } currentContract { version publishedAt } } }
    }
  }
}"""

OWN_SHAPES = ("pull request", "inbox", "lineage")
"""The shapes that are compared with `EXECUTOR=planned` alone."""


def list_operations(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Return the body of a request for each shape."""
    return {
        "page": {"query": PAGE_QUERY},
        "tiny": {"query": TINY_QUERY, "variables": {"fqn": catalog.sample_fqn}},
        "pull request": {"query": PULL_REQUEST_QUERY, "variables": {"key": CHANGE_SET_KEY.format(0)}},
        "inbox": {"query": INBOX_QUERY, "variables": {"name": catalog.sample_team}},
        "lineage": {"query": LINEAGE_QUERY, "variables": {"fqn": fqn(0)}},
    }


def encode_operations(catalog: Catalog) -> dict[str, str]:
    return {name: json.dumps(operation) for name, operation in list_operations(catalog).items()}
