// The GraphQL-over-HTTP specification, as the reference implementation audits it: node audit.mjs URL
import { auditServer } from "graphql-http";

const url = process.argv[2];
if (!url) {
  console.error("Say which server: node audit.mjs http://127.0.0.1:8000/graphql (in the open profile)");
  process.exit(2);
}

const results = await auditServer({ url });
const failed = results.filter((result) => result.status !== "ok");
for (const { id, name, status, reason } of failed) {
  console.log(`${status.toUpperCase()} ${id} ${name}: ${reason}`);
}
console.log(`${results.length - failed.length} of ${results.length} passed, ${failed.length} failed`);
process.exit(failed.length ? 1 : 0);
