"""The files that ARCHITECTURE.md names exist, and its picture has every layer."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()


def test_every_file_that_is_named_exists() -> None:
    paths = set(re.findall(r"`([a-z_]+/(?:[a-z_]+/)*(?:[a-z_]+\.py)?)`", PAGE))
    missing = {name for name in paths if not any((root / name).exists() for root in (ROOT, ROOT / "tessera_gql"))}
    assert len(paths) > 20
    assert missing == set()


def test_every_layer_of_the_contract_is_in_the_picture() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = {name for line in contracts[0]["layers"] for name in re.findall(r"[a-z_]+", line)}
    assert layers - set(re.findall(r"[a-z_]+", PAGE)) <= {"__main__"}
