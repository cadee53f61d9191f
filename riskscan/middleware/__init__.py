"""Middlewares and response hooks, which run around every handler."""
