"""What starts work, as Microsoft's own worker library sees it."""
