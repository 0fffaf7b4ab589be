"""Open Update Manager: one Blueprint a capability. Composition only; what happens is in `functions` and `shared`."""

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
