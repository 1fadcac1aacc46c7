"""What is written down about the house is true of it."""

import re
import subprocess
import tomllib
from pathlib import Path

from tessera_gql.config import Settings
from tessera_gql.config.limits import LimitSettings

ROOT = Path(__file__).resolve().parents[1]


def test_the_readme_and_its_page_on_configuring_list_every_setting_and_no_other() -> None:
    pages = (ROOT / "README.md").read_text() + (ROOT / "docs/configuring.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$", pages, re.MULTILINE)
    documented = {name: text for name, _default, text in rows}
    assert documented == {name.upper(): field.description for name, field in Settings.model_fields.items()}
    assert len(rows) == len(documented)


def test_the_limits_are_listed_with_their_defaults() -> None:
    rows = re.findall(r"^\| `(LIMIT_[A-Z_]+)` \| `(.*?)` \|", (ROOT / "docs/configuring.md").read_text(), re.MULTILINE)
    assert dict(rows) == {name.upper(): f"{field.default:,}" for name, field in LimitSettings.model_fields.items()}


def test_every_command_of_the_readme_is_a_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert {"serve", "demo", "test", "lint", "schema"} <= named <= targets


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / "tessera_gql").rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_the_lock_files_hold_a_hash_for_every_package_and_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        packages = re.findall(r"^[a-z0-9][a-z0-9._-]*==", text, re.MULTILINE)
        assert len(packages) > 20
        assert "://" not in text
        assert len(re.findall(r"--hash=sha256:", text)) >= len(packages)


def test_every_runtime_dependency_is_locked() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0].lower() for one in declared}
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert names <= locked


def test_nothing_that_is_served_refers_to_another_host() -> None:
    pages = [*(ROOT / "tessera_gql/web").glob("*.html"), ROOT / "tessera_gql/web/graphiql/graphiql.js"]
    for page in pages:
        assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page.read_text()), page


def test_no_tracked_file_names_a_path_of_a_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        return  # not a checkout: an unpacked archive
    pattern = re.compile(r"(?<![A-Za-z.])/(?:work|root|farm)/")
    mine = Path(__file__).name
    found = [
        name
        for name in tracked.stdout.splitlines()
        if not name.startswith("tessera_gql/web/graphiql/")
        and Path(name).name != mine
        and (ROOT / name).is_file()
        and pattern.search((ROOT / name).read_text(errors="ignore"))
    ]
    assert found == []
