"""Reference servers with the same responses, each built as its library's documentation teaches."""
