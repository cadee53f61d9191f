"""Marking findings in the document that they come from, in a process of its own."""
