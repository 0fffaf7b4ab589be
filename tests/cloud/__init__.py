"""How we talk to Azure: the real clients and the real pipeline, judged by what the sandbox and the wire saw."""
