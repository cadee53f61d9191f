"""Exports: columns and layouts, and the file formats."""
