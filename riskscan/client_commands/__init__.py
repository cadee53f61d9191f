"""The commands that speak to a server, and the tools for assistants."""
