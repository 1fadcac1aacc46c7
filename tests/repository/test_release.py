"""A release dates the changelog's newest section, and its notes are that section."""

import pytest

from scripts import release

CHANGELOG = """# Changelog

## 0.2.0, unreleased

### Added

- A second thing.

## 0.1.0, 2026-01-01

- A first thing.
"""


def test_a_release_dates_the_unreleased_section() -> None:
    assert "## 0.2.0, 2026-02-03\n\n### Added" in release.dated(CHANGELOG, "0.2.0", "2026-02-03")


def test_a_release_may_have_another_version_than_the_section_announces() -> None:
    changelog = release.dated(CHANGELOG, "1.0.0", "2026-02-03")
    assert [heading["version"] for heading in release.HEADING.finditer(changelog)] == ["1.0.0", "0.1.0"]


def test_a_changelog_without_an_unreleased_section_can_not_be_released() -> None:
    with pytest.raises(ValueError, match="not unreleased"):
        release.dated(release.dated(CHANGELOG, "0.2.0", "2026-02-03"), "0.3.0", "2026-03-04")


def test_the_notes_of_a_version_are_its_section_alone() -> None:
    assert release.notes(CHANGELOG, "0.2.0") == "### Added\n\n- A second thing."
    assert release.notes(CHANGELOG, "0.1.0") == "- A first thing."


def test_the_changelog_of_this_version_can_be_released() -> None:
    assert release.notes(release.CHANGELOG.read_text(), "0.1.0")


def test_the_version_of_the_project_is_replaced_and_nothing_else() -> None:
    before = release.PROJECT.read_text()
    after = release.with_version(before, "9.8.7")
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert changed == ['version = "9.8.7"']


def test_the_kubernetes_base_names_the_image_of_the_version() -> None:
    before = release.KUBERNETES.read_text()
    after = release.with_tag(before, "9.8.7")
    assert [line for line in after.splitlines() if line not in before.splitlines()] == ['    newTag: "9.8.7"']
