"""What we remember, tested on the real storage protocol."""
