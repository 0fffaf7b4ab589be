"""A small local stand-in for the Azure Functions host, around Microsoft's own Python worker library."""
