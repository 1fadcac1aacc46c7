"""Pure parsers and writers of schema documents: dbt, ODCS, Avro, protobuf, DDL, YAML. They do no I/O."""
