// Types for the operations of src/, from the SDL of the server: its /schema.graphql, or a file.
import type { CodegenConfig } from "@graphql-codegen/cli";

const { TESSERA_URL, TESSERA_API_KEY, TESSERA_SCHEMA } = process.env;
const headers: Record<string, string> = TESSERA_API_KEY ? { Authorization: `Bearer ${TESSERA_API_KEY}` } : {};

const config: CodegenConfig = {
  schema: TESSERA_SCHEMA ?? { [`${TESSERA_URL ?? "http://localhost:8000"}/schema.graphql`]: { headers } },
  documents: "src/*.ts",
  generates: {
    "src/generated/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        strictScalars: true,
        scalars: { DateTime: "string", JSON: "unknown", URL: "string" },
        enumsAsTypes: true,
        useTypeImports: true,
        documentMode: "string",
        importExtension: ".js",
      },
    },
  },
};

export default config;
