"""Tests of the local Functions host, most of them over its real processes."""
