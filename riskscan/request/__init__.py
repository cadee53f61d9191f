"""Reading requests: bodies, fields, filters, uploads and what a proxy forwards."""
