// Publishes a contract, reads it back, and receives the event about it: npm run generate && npm run build && npm start
import { connect, execute, subscribe } from "./client.js";
import { graphql } from "./generated/gql.js";

const name = `typescript-${Date.now()}`;
const fqn = `analytics.${name.replace("-", "_")}.orders`;

const Position = graphql(`
  query Position {
    eventCursor
  }
`);

const CreateOwner = graphql(`
  mutation CreateOwner($name: String!, $fqn: String!) {
    createTeam(input: { name: $name, idempotencyKey: $name }) {
      team { id }
      errors { code message }
    }
    createAsset(input: { fqn: $fqn, owner: { name: $name } }) {
      asset { id }
      errors { code message }
    }
  }
`);

const Publish = graphql(`
  mutation Publish($input: PublishContractInput!) {
    publishContract(input: $input) {
      outcome
      contract { version }
      errors { code field message }
    }
  }
`);

const CurrentContract = graphql(`
  query CurrentContract($fqn: String!) {
    asset(by: { fqn: $fqn }) {
      fqn
      owner { name }
      currentContract { version schema publishedAt }
    }
  }
`);

const Published = graphql(`
  subscription Published($after: String) {
    events(after: $after, filter: { kind: { eq: CONTRACT_PUBLISHED } }) {
      cursor
      kind
      occurredAt
      asset { fqn }
    }
  }
`);

/** End the program with what the server refuses, and what to do next. */
function check(...payloads: ({ errors: { code: string; message: string }[] } | null | undefined)[]): void {
  for (const error of payloads.flatMap((payload) => payload?.errors ?? [])) {
    throw new Error(`${error.code}: ${error.message}`);
  }
}

const { eventCursor } = await execute(Position);
const created = await execute(CreateOwner, { name, fqn });
check(created.createTeam, created.createAsset);

const { publishContract } = await execute(Publish, {
  input: {
    asset: { fqn },
    schema: { type: "object", properties: { order_id: { type: "integer" } }, required: ["order_id"] },
    idempotencyKey: `${name}-1`,
  },
});
check(publishContract);
console.log(`${publishContract?.outcome} ${fqn} ${publishContract?.contract?.version}`);

const { asset } = await execute(CurrentContract, { fqn });
const publishedAt: string | undefined = asset?.currentContract?.publishedAt;
console.log(`${asset?.owner.name} owns ${asset?.fqn}, published at ${publishedAt}`);

// The cursor from before the publish: the message arrives although the subscription begins after it.
const client = connect();
for await (const { events } of subscribe(client, Published, { after: eventCursor })) {
  if (events.asset?.fqn !== fqn) continue;
  console.log(`${events.kind} ${events.asset.fqn}`);
  break;
}
await client.dispose();
