"""Tests of the real guest: what it reads, and that apt really does what it says."""
