"""Open Update Manager: one Blueprint a capability. Composition only; what happens is in `functions` and `shared`."""

import sys

import azure.functions as func

from functions import (
    agenda,
    assessment,
    assignments,
    configurations,
    events,
    fallback,
    fleet,
    health,
    installation,
    inventory,
    machines,
    native,
    openings,
    operations,
    owners,
    poison,
    preview,
    release,
    results,
    runs,
)

SWITCH_SECONDS = 0.0005
"""How long a busy thread keeps Python from the others (ours; Python's own is 0.005, docs.python.org, sys).

A worker rebuilds the index of a large fleet beside requests, each of which asks for the interpreter a hundred times.
"""

sys.setswitchinterval(SWITCH_SECONDS)
app = func.FunctionApp()
CAPABILITIES = (
    inventory,
    assessment,
    results,
    installation,
    runs,
    openings,
    events,
    operations,
    agenda,
    machines,
    configurations,
    assignments,
    preview,
    native,
    owners,
    fleet,
    health,
    poison,
    release,
    fallback,
)
for capability in CAPABILITIES:
    app.register_functions(capability.blueprint)
