"""The verbs. Each locks, reads, asks policy, changes rows and records its event; none commits."""
