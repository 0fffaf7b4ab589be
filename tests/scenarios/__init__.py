"""The whole product through bad days, on the local cloud: real processes, real storage protocol, real signals."""
