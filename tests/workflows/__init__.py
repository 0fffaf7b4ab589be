"""What we do, on real storage and a sandbox in this process: one clock moves everything, and only tests move it."""
