"""What runs around every handler."""
