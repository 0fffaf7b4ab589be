"""Tests of the local cloud: what starts it, runs it and judges it."""
