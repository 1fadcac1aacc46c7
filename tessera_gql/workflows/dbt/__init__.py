"""Sync dbt manifests, and show the impact of a manifest before its pull request is merged."""
