"""Notifications after a commit: the event relay, webhooks, and the deadlines of proposals."""
