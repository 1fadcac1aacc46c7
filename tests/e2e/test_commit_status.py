"""A pull request's commit status follows the answers by itself: no job of CI runs again for it."""

import time
from pathlib import Path

import pytest

from tests.e2e.github_api import TOKEN, GitHub, serving_github
from tests.e2e.pull_requests import ADMIN_KEY, Company, add_readers, start_shop
from tests.e2e.server import serving

pytestmark = pytest.mark.long

SECRETS_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
COMMIT, NEXT_COMMIT = "a" * 40, "b" * 40


def wait_for(github: GitHub, commit: str, state: str, seconds: float = 40) -> str:
    """Wait for the state of a commit, and return its description."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        statuses = github.statuses.get(commit, [])
        if statuses and statuses[-1]["state"] == state:
            assert statuses[-1]["context"] == "tessera/contracts"
            return str(statuses[-1]["description"])
        time.sleep(0.1)
    raise AssertionError((state, github.statuses))


def test_the_status_is_pending_then_failure_on_a_block_then_success_at_the_last_consent(
    tmp_path: Path, database_url: str
) -> None:
    settings = {"DATABASE_URL": database_url, "SECRETS_KEY": SECRETS_KEY, "ADMIN_KEY": ADMIN_KEY}
    public = "https://data.example.com/tessera"
    with (
        serving_github() as github,
        serving(tmp_path, GITHUB_API_URL=github.url, PUBLIC_URL=public, **settings) as server,
    ):
        company = Company(server, tmp_path)
        repository, shop = start_shop(company)
        orders = shop.fqn("orders")
        add_readers(company, orders)
        host = github.url.removeprefix("http://")
        created = repository.run(
            *("webhook", "create", f"https://{host}/acme/shop", "--format", "github_status"),
            key=ADMIN_KEY,
            TESSERA_CHANNEL_TOKEN=TOKEN,
        )
        assert created.returncode == 0, created.stderr
        assert TOKEN not in created.stdout + created.stderr

        pull_request, key = shop.drop_column("orders", "coupon"), f"{host}/acme/shop#17"
        result = repository.ask(pull_request, key, "--change-set-commit", COMMIT)
        assert result.code == 3, result.text
        assert "Waiting for" in wait_for(github, COMMIT, "pending")

        company.answer("growth", orders, "BLOCKED", "The spring campaign runs until June.")
        assert wait_for(github, COMMIT, "failure") == f"Blocked by {company.name('growth')} (1 table)."

        company.answer("finance", orders)
        company.answer("growth", orders)
        assert wait_for(github, COMMIT, "success") == "Every asked team agrees (1 table)."
        assert github.statuses[COMMIT][-1]["target_url"].startswith(f"{public}/change-sets/")

        assert repository.ask(pull_request, key, "--change-set-commit", NEXT_COMMIT).code == 0
        wait_for(github, NEXT_COMMIT, "success")
        assert repository.sync(pull_request, "--owner", company.name("shop")).code == 0
        assert company.find_version(orders) == "2.0.0"
        assert [item["state"] for item in github.statuses[COMMIT]][-1] == "success"
        assert len(github.statuses[COMMIT]) <= 8


def test_a_token_that_was_revoked_is_listed_with_what_to_do(tmp_path: Path) -> None:
    with serving_github() as github, serving(tmp_path, GITHUB_API_URL=github.url) as server:
        company = Company(server, tmp_path)
        repository = company.start_project("shop", "shop")
        host = github.url.removeprefix("http://")
        options = ("webhook", "create", f"https://{host}/acme/shop", "--format", "github_status", "--json")
        created = repository.run(*options, TESSERA_CHANNEL_TOKEN="revoked")
        webhook = created.stdout.partition('"id": "')[2].partition('"')[0]
        assert webhook, created.stderr
        assert repository.run("webhook", "test", webhook).returncode == 0
        listed = ""
        end = time.monotonic() + 30
        while "401" not in listed and time.monotonic() < end:
            listed = repository.run("webhook", "deliveries", webhook).stdout
        assert "GitHub answered 401." in listed
        assert "Set a new one with `tessera webhook update` and --token" in listed
