"""Sync of dbt manifests, and the impact of one before it is merged."""
