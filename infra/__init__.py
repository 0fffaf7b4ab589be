"""What the app runs on: in Azure and on a laptop."""
