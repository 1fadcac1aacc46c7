"""Commands: each locks, reads, asks policy, changes rows and records its event; none commits."""
