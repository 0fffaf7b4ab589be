"""What costs time, measured side by side."""
