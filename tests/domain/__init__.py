"""What is true, tested alone: no storage, no network, no clock."""
