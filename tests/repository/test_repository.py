"""The generated reference, the Makefile, file sizes and the lock files of the repository are consistent."""

import re
import subprocess
import tomllib
from pathlib import Path

from scripts import reference

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_of_settings_commands_and_schema_is_current() -> None:
    assert reference.stale_pages() == [], "run `make reference`"


def test_every_make_target_that_is_named_exists_and_the_phony_ones_are_declared() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    pages = "".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", "docs/index.md"))
    mentioned = set(re.findall(r"(?:^|`|\$ )make ([a-z-]+)", pages, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)[0].replace("\\", " ").split())
    assert {"serve", "dev", "test", "test-fast", "lint", "schema"} <= mentioned <= targets
    assert phony == targets


def test_every_make_target_is_explained() -> None:
    for line in re.findall(r"^[a-z-]+:.*$", (ROOT / "Makefile").read_text(), re.MULTILINE):
        assert " ## " in line, line


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / "tessera_gql").rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_the_lock_files_hold_a_hash_for_every_package_and_no_address() -> None:
    dbt_lock = "tests/conformance/dbt_build/requirements.lock"
    for name in ("requirements.lock", "requirements-build.lock", "requirements-dev.lock", dbt_lock):
        text = (ROOT / name).read_text()
        packages = re.findall(r"^[a-z0-9][a-z0-9._-]*==", text, re.MULTILINE)
        assert len(packages) > 5
        assert "://" not in text
        assert len(re.findall(r"--hash=sha256:", text)) >= len(packages)


def locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0].lower() for text in requirements}


def test_every_dependency_is_locked_and_one_version_serves_all_environments() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    server, build, developer = map(locked, ("requirements.lock", "requirements-build.lock", "requirements-dev.lock"))
    assert names_of(project["project"]["dependencies"]) <= set(server)
    assert names_of(project["build-system"]["requires"]) <= set(build)
    assert {**server, **build}.items() <= developer.items()


def test_no_served_page_refers_to_another_host() -> None:
    pages = [*(ROOT / "tessera_gql/web").glob("*.html"), ROOT / "tessera_gql/web/graphiql/graphiql.js"]
    for page in pages:
        assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page.read_text()), page


def test_no_tracked_file_names_a_path_of_a_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        return  # not a checkout: an unpacked archive
    pattern = re.compile(r"(?<![A-Za-z.])/(?:work|root|farm)/")
    offenders = [
        name
        for name in tracked.stdout.splitlines()
        if not name.startswith("tessera_gql/web/graphiql/")
        and Path(name).name != Path(__file__).name
        and (ROOT / name).is_file()
        and pattern.search((ROOT / name).read_text(errors="ignore"))
    ]
    assert offenders == []
