"""What starts work: one module a capability, each with a Blueprint of triggers that translate and call."""
