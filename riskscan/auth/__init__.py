"""Authentication: passwords, access tokens, sessions and API tokens."""
