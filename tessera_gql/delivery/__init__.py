"""Telling others after a commit: live subscriptions, and what the passing of time brings about."""
