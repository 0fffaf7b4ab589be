"""The tests of everything; nothing imports from here."""
