"""Who sends a request: passwords, access tokens, sessions and API tokens."""
