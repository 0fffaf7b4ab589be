"""What we do: one use case a function. Reads state, asks the domain, acts, records, sends messages last."""
