"""The app's real workflows over a fake clock, storage twins and the sandbox, under faults drawn by a seed."""
