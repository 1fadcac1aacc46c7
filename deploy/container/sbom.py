"""Print the bill of materials of the environment that runs this: packages of Python and Debian, as CycloneDX 1.6."""

import json
import re
import subprocess
from importlib.metadata import Distribution, distributions
from typing import Any
from urllib.parse import quote


def python_component(package: Distribution) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
    purl = f"pkg:pypi/{name}@{quote(package.version)}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package.version,
        "purl": purl,
    }
    if expression := package.metadata.get("License-Expression"):
        component["licenses"] = [{"expression": expression}]
    return component


def debian_components() -> list[dict[str, Any]]:
    """The packages of Debian; none on another system."""
    columns = r"${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
    try:
        listing = subprocess.run(["dpkg-query", "-W", "-f", columns], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []
    rows = [line.split("\t") for line in listing.splitlines() if line.startswith("ii")]
    return [debian_component(*row[1:]) for row in rows]


def debian_component(name: str, version: str, architecture: str) -> dict[str, Any]:
    purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def bill_of_materials() -> dict[str, Any]:
    """The whole document. It has no date and no random number, so that equal environments give equal files."""
    packages = {component["bom-ref"]: component for component in map(python_component, distributions())}
    components = [*packages.values(), *debian_components()]
    application = [item for item in components if item["name"] == "tessera-gql"]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**application[0], "type": "application"}} if application else {},
        "components": sorted(
            (item for item in components if item not in application), key=lambda item: str(item["bom-ref"])
        ),
    }


if __name__ == "__main__":
    print(json.dumps(bill_of_materials(), indent=1))
