// Validate documents with ajv: a request per line in, a verdict per line out; null if ajv refuses a schema.

const readline = require("node:readline");
const options = { strict: false, validateFormats: false, logger: false };

const IDENTIFIER = "http://localhost/schema";
const Draft7 = require("ajv").default;
const validators = {
  4: new (require("ajv-draft-04").default)(options),
  6: new Draft7(options).addMetaSchema(require("ajv/dist/refs/json-schema-draft-06.json")),
  7: new Draft7(options),
  2019: new (require("ajv/dist/2019").default)(options),
  2020: new (require("ajv/dist/2020").default)(options),
};

function verdicts({ draft, schemas, documents }) {
  const validator = validators[draft];
  return schemas.map((schema) => {
    try {
      // ajv resolves `#` in a definition only in a schema that has an identifier
      const isValid = validator.compile({ ...schema, [draft === 4 ? "id" : "$id"]: IDENTIFIER });
      return documents.map((document) => isValid(document));
    } finally {
      validator.removeSchema(IDENTIFIER);
    }
  });
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  let reply = null;
  try {
    reply = verdicts(JSON.parse(line));
  } catch (error) {
    console.error(String(error).slice(0, 300));
  }
  console.log(JSON.stringify(reply));
});
