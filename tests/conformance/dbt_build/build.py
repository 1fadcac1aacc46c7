"""Build copies of the shop with dbt, and run a reader's query on each column of the tables that the first copy built.

Usage: build.py FOLDER BASE. Runs in the environment of dbt. `FOLDER` holds the projects, `BASE` is the name of the one
before any edit. Each project gets `target/manifest.json`, `target/catalog.json` and `observed.json`.
"""

import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import duckdb
from dbt.cli.main import dbtRunner

MAX_VALUES = 10
COLUMNS = "select table_schema, table_name, column_name from information_schema.columns order by all"


def build(project: Path) -> None:
    """Load the landed tables, build and test the models, and write manifest and catalog."""
    os.chdir(project)
    os.environ["WAREHOUSE"] = str(project / "warehouse.duckdb")
    with duckdb.connect(os.environ["WAREHOUSE"]) as warehouse:
        warehouse.execute((project / "landing.sql").read_text())
    for command in (["build"], ["docs", "generate"]):
        result = dbtRunner().invoke(["--quiet", *command, "--profiles-dir", str(project)])
        if not result.success:
            raise RuntimeError(f"{project.name}: {' '.join(command)}: {result.exception or result.result}")


def list_columns(project: Path) -> list[tuple[str, str, str]]:
    with duckdb.connect(str(project / "warehouse.duckdb"), read_only=True) as warehouse:
        return warehouse.execute(COLUMNS).fetchall()


def observe(project: Path, columns: list[tuple[str, str, str]]) -> None:
    """Run the query of each column's reader, and write what it meets."""
    with duckdb.connect(str(project / "warehouse.duckdb"), read_only=True) as warehouse:
        observed = {".".join(column): query_column(warehouse, *column) for column in columns}
    (project / "observed.json").write_text(json.dumps(observed, indent=1))


def query_column(warehouse: duckdb.DuckDBPyConnection, schema: str, table: str, column: str) -> dict[str, Any]:
    """Return the type, whether there are nulls, and the values if they are few; or the error of the query."""
    try:
        result = warehouse.sql(f'select "{column}" from "{schema}"."{table}"')
        rows = [value for (value,) in result.fetchall()]
    except duckdb.Error as error:
        return {"error": str(error).splitlines()[0]}
    values = sorted({str(value) for value in rows if value is not None})
    few_values = values if len(values) <= MAX_VALUES else None
    return {"type": str(result.types[0]), "has_nulls": None in rows, "values": few_values}


def main(folder: Path, base: str) -> None:
    projects = sorted(path for path in folder.iterdir() if path.is_dir())
    # A process for each task: dbt and its adapter keep state of a project. `fork` saves the import of dbt in each.
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        pool.map(build, projects, chunksize=1)
        (columns,) = pool.map(list_columns, [folder / base])
        pool.starmap(observe, [(project, columns) for project in projects], chunksize=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
