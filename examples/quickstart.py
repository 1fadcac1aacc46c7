"""Five workflows against a running server, in plain GraphQL over HTTP, with the standard library only.

    make serve                        # in one terminal
    python examples/quickstart.py     # in another

It reads TESSERA_URL (default http://localhost:8000) and TESSERA_API_KEY (only if the server requires a key). You can
run it again, because every run uses new names.
"""

import json
import os
import sys
import textwrap
import urllib.error
import urllib.request
import uuid
from typing import Any

URL = os.environ.get("TESSERA_URL", "http://localhost:8000").rstrip("/")
KEY = os.environ.get("TESSERA_API_KEY")
RUN = uuid.uuid4().hex[:6]
SHOP, FINANCE, GROWTH = f"shop-{RUN}", f"finance-{RUN}", f"growth-{RUN}"
ORDERS = {"fqn": f"quickstart.run_{RUN}.orders"}

HAS_COLORS = sys.stdout.isatty()


def color(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m" if HAS_COLORS else text


def escape(text: Any) -> str:
    """Escape control characters in text of the server: names and reasons come from other teams."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))


def call(document: str, **variables: Any) -> dict[str, Any]:
    """Send an operation and return its data. Exit with the server's messages if it has errors."""
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    if KEY:
        headers["Authorization"] = f"Bearer {KEY}"
    body = json.dumps({"query": document, "variables": variables}).encode()
    request = urllib.request.Request(f"{URL}/graphql", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            reply = json.load(response)
    except urllib.error.HTTPError as error:
        reply = json.load(error)
    except OSError as error:
        sys.exit(f"There is no server at {URL} ({error}). Start one with `make serve`, or set TESSERA_URL.")
    if reply.get("errors"):
        messages = "\n".join(f"  {escape(error['message'])}" for error in reply["errors"])
        sys.exit(f"The server refused the operation:\n{messages}")
    return reply["data"]


def mutate(document: str, **variables: Any) -> dict[str, Any]:
    """Return the payload of a mutation. Refusals are in its `errors`, each with a code."""
    (payload,) = call(document, **variables).values()
    if payload["errors"]:
        messages = "\n".join(f"  {error['code']}: {escape(error['message'])}" for error in payload["errors"])
        sys.exit(f"Refused:\n{messages}")
    return payload


def print_workflow(number: int, title: str, reason: str) -> None:
    print(f"\n{color(f'{number}. {title}', '1;36')}\n{textwrap.indent(textwrap.fill(reason, 96), '   ')}")


def print_operation(document: str) -> str:
    """Print an operation as it is sent."""
    print(color(textwrap.indent(textwrap.dedent(document).strip(), "   | "), "2"))
    return document


def expect(label: str, actual: Any, expected: Any) -> None:
    mark = color("ok", "32") if actual == expected else color(f"NOT {expected}", "31")
    print(f"   {label}: {color(escape(actual), '1')} ({mark})")
    if actual != expected:
        sys.exit(1)


def table(**columns: str) -> dict[str, Any]:
    """Return a JSON Schema for a table with these required columns."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in columns.items()},
        "required": list(columns),
    }


V1 = table(order_id="integer", customer_id="integer", total="number", coupon="string")
V1_1 = {**V1, "properties": {**V1["properties"], "channel": {"type": ["string", "null"]}}}


def remove_column(column: str, schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: sub for name, sub in schema["properties"].items() if name != column}
    return {**schema, "properties": properties, "required": [name for name in schema["required"] if name != column]}


PUBLISH = """
mutation Publish($input: PublishContractInput!) {
  publishContract(input: $input) {
    outcome
    contract { version }
    proposal { id status proposedVersion awaiting { name } }
    diff { bump changes { kind message } }
    errors { code message }
  }
}
"""
ACKNOWLEDGE = """
mutation Acknowledge($input: AcknowledgeProposalInput!) {
  acknowledgeProposal(input: $input) {
    proposal { status awaiting { name } }
    errors { code message }
  }
}
"""


def publish(schema: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return mutate(PUBLISH, input={"asset": ORDERS, "schema": schema, **extra})


def acknowledge(proposal: str, team: str, response: str, **extra: Any) -> dict[str, Any]:
    variables = {"proposal": proposal, "team": {"name": team}, "response": response, **extra}
    return mutate(ACKNOWLEDGE, input=variables)["proposal"]


def first_contract() -> None:
    print_workflow(1, "A first contract", "Three teams, one table. The shop owns it and publishes its contract.")
    for team in (SHOP, FINANCE, GROWTH):
        mutate("mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { code message } } }",
               input={"name": team})  # fmt: skip
    mutate("mutation($input: CreateAssetInput!) { createAsset(input: $input) { errors { code message } } }",
           input={"fqn": ORDERS["fqn"], "owner": {"name": SHOP}})  # fmt: skip
    print_operation(PUBLISH)
    payload = publish(V1)
    expect("outcome", payload["outcome"], "PUBLISHED")
    expect("version", payload["contract"]["version"], "1.0.0")


def compatible_change() -> None:
    print_workflow(2, "A compatible change", "Consumers register the columns that they read. A new optional column is"
                   " compatible and is published as a minor version. Publishing it again changes nothing.")  # fmt: skip
    register = """
    mutation Register($input: RegisterInput!) {
      register(input: $input) { registration { status fields } errors { code message } }
    }
    """
    print_operation(register)
    mutate(register, input={"asset": ORDERS, "team": {"name": FINANCE}, "fields": ["order_id", "total"]})
    mutate(register, input={"asset": ORDERS, "team": {"name": GROWTH}, "fields": ["coupon"]})
    payload = publish(V1_1)
    expect("outcome", payload["outcome"], "PUBLISHED")
    expect("version", payload["contract"]["version"], "1.1.0")
    expect("once more", publish(V1_1)["outcome"], "UNCHANGED")


def breaking_change() -> None:
    print_workflow(3, "A breaking change waits for the teams it hurts", "Dropping `coupon` breaks growth, which reads"
                   " it, but not finance. It is published only after growth has approved it.")  # fmt: skip
    payload = publish(remove_column("coupon", V1_1), reason="Coupons move to a table of their own.")
    proposal = payload["proposal"]
    expect("outcome", payload["outcome"], "PROPOSED")
    expect("asked", [team["name"] for team in proposal["awaiting"]], [GROWTH])
    for change in payload["diff"]["changes"]:
        print(f"   change: {escape(change['message'])}")
    print_operation(ACKNOWLEDGE)
    blocked = acknowledge(proposal["id"], GROWTH, "BLOCKED", notes="The autumn campaign still runs.")
    expect("after BLOCKED", blocked["status"], "REJECTED")
    expect("after APPROVED", acknowledge(proposal["id"], GROWTH, "APPROVED")["status"], "APPROVED")
    published = mutate(
        """mutation($input: PublishProposalInput!) {
          publishProposal(input: $input) { contract { version } proposal { status } errors { code message } }
        }""",
        input={"proposal": proposal["id"]},
    )
    expect("proposal", published["proposal"]["status"], "PUBLISHED")
    expect("version", published["contract"]["version"], "2.0.0")


def forced_change() -> None:
    print_workflow(4, "By force, with a reason", "In an emergency an administrator may publish at once. The event log"
                   " has the reason and the teams that were not asked.")  # fmt: skip
    schema = remove_column("total", remove_column("coupon", V1_1))
    payload = publish(schema, force=True, reason="The column leaked card numbers.")
    expect("outcome", payload["outcome"], "FORCED")
    expect("version", payload["contract"]["version"], "3.0.0")
    events = call("""query($by: AssetRef!) {
      asset(by: $by) { events(last: 1, filter: { kind: { eq: CONTRACT_PUBLISHED } }) { nodes { kind payload } } }
    }""", by=ORDERS)["asset"]["events"]["nodes"]  # fmt: skip
    print(f"   in the log: {escape(events[0]['payload']['reason'])}")
    expect("teams not asked", len(events[0]["payload"]["not_asked"]), 1)


def impact_before_merging() -> None:
    print_workflow(5, "Impact before merging", "In a pull request, check what a publish would do. Nothing is stored.")
    query = """
    query Impact($asset: AssetRef!, $schema: JSON!) {
      impact(asset: $asset, schema: $schema) {
        outcome
        version
        breaking { kind message }
        asked { team { name } because { message } }
      }
    }
    """
    print_operation(query)
    impact = call(query, asset=ORDERS, schema=table(order_id="string", customer_id="integer"))["impact"]
    expect("would be", impact["outcome"], "PROPOSED")
    expect("as", impact["version"], "4.0.0")
    expect("asking", [asked_team["team"]["name"] for asked_team in impact["asked"]], [FINANCE])
    for change in impact["breaking"]:
        print(f"   because: {escape(change['message'])}")


def main() -> None:
    print(f"Tessera GQL at {URL}: five workflows on {ORDERS['fqn']}")
    first_contract()
    compatible_change()
    breaking_change()
    forced_change()
    impact_before_merging()
    print(f"\n{color('All five did what they should.', '1;32')} Look around in {URL}/graphiql")


if __name__ == "__main__":
    main()
