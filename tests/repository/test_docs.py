"""The pages name settings, metrics and commands that exist, and every link has a target."""

import re
from pathlib import Path

import pytest

from tessera_gql.cli.commands import COMMANDS, load_command
from tessera_gql.config import Settings, secrets
from tessera_gql.policy.enums import WebhookFormat
from tessera_gql.policy.visibility import ALL_EVENT_KINDS

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("cli", "install", "configuring", "securing", "observing", "upgrading", "uploading", "webhooks")
STANDARD = {
    "XDG_CACHE_HOME",
    "PROMETHEUS_MULTIPROC_DIR",
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_SAMPLER",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "PYTHON_CONFIGURE_OPTS",
    "TESSERA_URL",
    "TESSERA_API_KEY",
    "TESSERA_TRACEBACK",
    "TESSERA_CHANNEL_TOKEN",
    "SSL_CERT_FILE",
}
"""Variables that others have named."""
BUILD_ARGUMENTS = {"PYTHON_IMAGE", "PIP_INDEX_URL", "DEBIAN_PACKAGES", "IMAGE", "TESSERA_VERSION"}
MISTAKES = {"LIMIT_DEPHT"}
WORDS = {
    "INTERNAL",
    "UNAVAILABLE",
    "TIMEOUT",
    "QUERY_TOO_COMPLEX",
    "SIGTERM",
    "POST",
    "GQL",
    "ADMIN",
    "FILE",
    "REVISION",
    "KEY",
    "JSON",
    "TMPDIR",
    "READ",
    "COMPARE",
    "CREATE",
    "READERS",
    "PUBLISH",
    "COMMIT",
    "RATE_LIMITED",
    "ALL",
    "HEAD",
}
PAGES = {name: (ROOT / f"docs/{name}.md").read_text() for name in NAMES}
WRITTEN = [
    *ROOT.glob("*.md"),
    *(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "reference"),
    *(ROOT / ".github").rglob("*.md"),
]
"""Every page that is not generated."""


def code(page: str) -> list[str]:
    """The text between backticks, and the lines of examples."""
    blocks = re.findall(r"```[^\n`]*\n(.*?)```", page, re.DOTALL)
    return [*re.findall(r"`([^`\n]+)`", re.sub(r"```[^\n`]*\n.*?```", "", page, flags=re.DOTALL)), *blocks]


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_that_a_page_names_exists(name: str) -> None:
    allowed = {setting.upper() for setting in Settings.model_fields} | STANDARD | BUILD_ARGUMENTS | MISTAKES | WORDS
    allowed |= {*ALL_EVENT_KINDS, *WebhookFormat}
    allowed |= {f"{secret.upper()}_FILE" for secret in secrets.secret_names(Settings.model_fields)}
    constants = set(re.findall(r"(?<![\w-])[A-Z][A-Z_]{2,}(?![\w-])", "\n".join(code(PAGES[name]))))
    assert constants <= allowed


@pytest.mark.parametrize(
    "page",
    [page for page in WRITTEN if page.name != "CONTRIBUTING.md"],  # its recipes add a command
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_each_command_that_a_page_names_exists(page: Path) -> None:
    snippets = code(page.read_text())
    calls = [call for text in snippets for call in re.findall(r"(?<![\w-])tessera ((?:[a-z-]+ ?)+)", text)]
    for call in calls:
        first, *names = call.split()
        assert first in COMMANDS, call
        command = load_command(first)
        for name in names:
            if not hasattr(command, "commands"):
                break
            assert name in command.commands, call
            command = command.commands[name]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_of_a_page_has_a_target(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#]*)#?([^)]*)\)", text):
        goal = (page.parent / target).resolve() if target else page
        assert goal.exists(), target
        assert not anchor or anchor in anchors(goal), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page, generated from its headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    explicit = set(re.findall(r'<a id="([^"]+)">', page.read_text()))
    return explicit | {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_each_page_is_linked_from_the_readme(name: str) -> None:
    assert f"(docs/{name}.md)" in (ROOT / "README.md").read_text()


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if f": {page}\n" not in navigation} == set()


def test_pages_speak_to_the_reader() -> None:
    banned = re.compile(r"\b(somebody|whoever|everybody|nobody|tells|told)\b", re.IGNORECASE)
    pages = [page for page in WRITTEN if page.name not in ("CHANGELOG.md", "glossary.md")]
    matches = {page.name: match for page in pages if (match := banned.findall(page.read_text()))}
    assert matches == {}


def test_each_metric_is_documented_and_each_documented_metric_exists() -> None:
    sources = [(ROOT / f"tessera_gql/telemetry/{name}.py").read_text() for name in ("metrics", "setup")]
    kinds = re.findall(r'\b(counter|gauge|histogram)\(\s*"(tessera_\w+)"', "".join(sources), re.IGNORECASE)
    defined = {f"{name}_total" if kind.lower() == "counter" else name for kind, name in kinds}
    listed = set(re.findall(r"`(tessera_\w+)`", PAGES["observing"]))
    assert len(defined) > 15
    assert listed == defined


def test_the_documented_process_metrics_exist() -> None:
    from prometheus_client.process_collector import ProcessCollector  # noqa: PLC0415

    exported = {sample.name for metric in ProcessCollector(registry=None).collect() for sample in metric.samples}
    assert set(re.findall(r"`(process_\w+[a-z])`", PAGES["observing"])) <= exported


def test_every_code_of_an_internal_failure_is_documented() -> None:
    from tessera_gql.telemetry.operations import SERVER_ERROR_CODES  # noqa: PLC0415

    for error_code in SERVER_ERROR_CODES:
        assert error_code in PAGES["observing"]
