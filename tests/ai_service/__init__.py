"""Tests of the embedded AI service."""
