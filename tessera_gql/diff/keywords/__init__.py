"""One module per keyword or family of keywords, with a record that the stages of a comparison read."""
