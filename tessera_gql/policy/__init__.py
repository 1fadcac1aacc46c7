"""Business decisions as pure functions, without I/O: access, compatibility, proposals, versions."""
