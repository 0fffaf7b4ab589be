"""The stand-in for Azure: ARM, identity and Resource Graph on loopback, with seeded machines."""
