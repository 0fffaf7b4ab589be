"""What the app runs on on a laptop and in the tests; never deployed."""
