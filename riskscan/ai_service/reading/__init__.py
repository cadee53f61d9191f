"""Documents of each format, read into blocks of text and split into units."""
