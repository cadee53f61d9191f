"""The embedded AI service: a small aiohttp application of its own with the AI service's POST /scan."""
