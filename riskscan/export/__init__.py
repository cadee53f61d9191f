"""Risks as files: the columns of a register, and its formats."""
