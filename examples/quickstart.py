"""Five workflows against a running server, in plain GraphQL over HTTP: nothing to install, nothing hidden.

    make serve                        # in one terminal
    python examples/quickstart.py     # in another

Reads TESSERA_URL (default http://localhost:8000) and TESSERA_API_KEY (only needed if the server wants a key).
Every run uses names of its own, so it can be run again.
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

COLOUR = sys.stdout.isatty()


def paint(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def plain(text: Any) -> str:
    """What the server says, where nothing steers the terminal: other teams write names and reasons."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))


def call(document: str, **variables: Any) -> dict[str, Any]:
    """Sends one operation and returns its data; stops the program with the server's words if it refuses."""
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    if KEY:
        headers["Authorization"] = f"Bearer {KEY}"
    body = json.dumps({"query": document, "variables": variables}).encode()
    request = urllib.request.Request(f"{URL}/graphql", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        answer = json.load(error)
    except OSError as error:
        sys.exit(f"There is no server at {URL} ({error}). Start one with `make serve`, or set TESSERA_URL.")
    if answer.get("errors"):
        sys.exit(
            "The server refused the operation:\n" + "\n".join(f"  {plain(one['message'])}" for one in answer["errors"])
        )
    return answer["data"]


def mutate(document: str, **variables: Any) -> dict[str, Any]:
    """The payload of a mutation; what it refuses comes as `errors` with a code, never as an exception."""
    (payload,) = call(document, **variables).values()
    if payload["errors"]:
        sys.exit("Refused:\n" + "\n".join(f"  {one['code']}: {plain(one['message'])}" for one in payload["errors"]))
    return payload


def workflow(number: int, title: str, why: str) -> None:
    print(f"\n{paint(f'{number}. {title}', '1;36')}\n{textwrap.indent(textwrap.fill(why, 96), '   ')}")


def shown(document: str) -> str:
    """Prints the operation once, as it is sent."""
    print(paint(textwrap.indent(textwrap.dedent(document).strip(), "   | "), "2"))
    return document


def expect(what: str, got: Any, wanted: Any) -> None:
    mark = paint("ok", "32") if got == wanted else paint(f"NOT {wanted}", "31")
    print(f"   {what}: {paint(plain(got), '1')} ({mark})")
    if got != wanted:
        sys.exit(1)


def table(**columns: str) -> dict[str, Any]:
    """A JSON Schema for a table with these columns; all of them are always there."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in columns.items()},
        "required": list(columns),
    }


V1 = table(order_id="integer", customer_id="integer", total="number", coupon="string")
V1_1 = {**V1, "properties": {**V1["properties"], "channel": {"type": ["string", "null"]}}}


def without(column: str, schema: dict[str, Any]) -> dict[str, Any]:
    kept = {name: sub for name, sub in schema["properties"].items() if name != column}
    return {**schema, "properties": kept, "required": [name for name in schema["required"] if name != column]}


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


def answer(proposal: str, team: str, response: str, **extra: Any) -> dict[str, Any]:
    said = {"proposal": proposal, "team": {"name": team}, "response": response, **extra}
    return mutate(ACKNOWLEDGE, input=said)["proposal"]


def first_contract() -> None:
    workflow(1, "A first contract", "Three teams, one table. The shop owns it and publishes what it promises.")
    for team in (SHOP, FINANCE, GROWTH):
        mutate("mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { code message } } }",
               input={"name": team})  # fmt: skip
    mutate("mutation($input: CreateAssetInput!) { createAsset(input: $input) { errors { code message } } }",
           input={"fqn": ORDERS["fqn"], "owner": {"name": SHOP}})  # fmt: skip
    shown(PUBLISH)
    payload = publish(V1)
    expect("outcome", payload["outcome"], "PUBLISHED")
    expect("version", payload["contract"]["version"], "1.0.0")


def compatible_change() -> None:
    workflow(2, "A compatible change", "Consumers register what they read. A new optional column hurts nobody: it"
             " flows straight through as a minor version. Publishing the same again changes nothing.")  # fmt: skip
    register = """
    mutation Register($input: RegisterInput!) {
      register(input: $input) { registration { status fields } errors { code message } }
    }
    """
    shown(register)
    mutate(register, input={"asset": ORDERS, "team": {"name": FINANCE}, "fields": ["order_id", "total"]})
    mutate(register, input={"asset": ORDERS, "team": {"name": GROWTH}, "fields": ["coupon"]})
    payload = publish(V1_1)
    expect("outcome", payload["outcome"], "PUBLISHED")
    expect("version", payload["contract"]["version"], "1.1.0")
    expect("once more", publish(V1_1)["outcome"], "UNCHANGED")


def breaking_change() -> None:
    workflow(3, "A breaking change waits for the teams it hurts", "Dropping `coupon` hurts growth, which reads it, and"
             " not finance, which does not. Growth says no, then yes, and only then is it published.")  # fmt: skip
    payload = publish(without("coupon", V1_1), reason="Coupons move to a table of their own.")
    proposal = payload["proposal"]
    expect("outcome", payload["outcome"], "PROPOSED")
    expect("asked", [team["name"] for team in proposal["awaiting"]], [GROWTH])
    for change in payload["diff"]["changes"]:
        print(f"   change: {plain(change['message'])}")
    shown(ACKNOWLEDGE)
    blocked = answer(proposal["id"], GROWTH, "BLOCKED", notes="The autumn campaign still runs.")
    expect("after BLOCKED", blocked["status"], "REJECTED")
    expect("after APPROVED", answer(proposal["id"], GROWTH, "APPROVED")["status"], "APPROVED")
    done = mutate(
        """mutation($input: PublishProposalInput!) {
          publishProposal(input: $input) { contract { version } proposal { status } errors { code message } }
        }""",
        input={"proposal": proposal["id"]},
    )
    expect("proposal", done["proposal"]["status"], "PUBLISHED")
    expect("version", done["contract"]["version"], "2.0.0")


def forced_change() -> None:
    workflow(4, "By force, with a reason", "An emergency: `total` must go today. An administrator may publish at once;"
             " the log keeps the reason and who was not asked.")  # fmt: skip
    schema = without("total", without("coupon", V1_1))
    payload = publish(schema, force=True, reason="The column leaked card numbers.")
    expect("outcome", payload["outcome"], "FORCED")
    expect("version", payload["contract"]["version"], "3.0.0")
    events = call("""query($by: AssetRef!) {
      asset(by: $by) { events(last: 1, filter: { kind: { eq: CONTRACT_PUBLISHED } }) { nodes { kind payload } } }
    }""", by=ORDERS)["asset"]["events"]["nodes"]  # fmt: skip
    print(f"   in the log: {plain(events[0]['payload']['reason'])}")
    expect("teams not asked", len(events[0]["payload"]["not_asked"]), 1)


def impact_before_merging() -> None:
    workflow(5, "Impact before merging", "In a pull request, ask what a publish would do. Nothing is written.")
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
    shown(query)
    impact = call(query, asset=ORDERS, schema=table(order_id="string", customer_id="integer"))["impact"]
    expect("would be", impact["outcome"], "PROPOSED")
    expect("as", impact["version"], "4.0.0")
    expect("asking", [one["team"]["name"] for one in impact["asked"]], [FINANCE])
    for change in impact["breaking"]:
        print(f"   because: {plain(change['message'])}")


def main() -> None:
    print(f"Tessera GQL at {URL}: five workflows on {ORDERS['fqn']}")
    first_contract()
    compatible_change()
    breaking_change()
    forced_change()
    impact_before_merging()
    print(f"\n{paint('All five did what they should.', '1;32')} Look around in {URL}/graphiql")


if __name__ == "__main__":
    main()
