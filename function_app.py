"""Open Update Manager: one Blueprint a capability. Composition only; what happens is in `functions` and `shared`."""

import azure.functions as func

from functions import (
    agenda,
    assessment,
    configurations,
    fallback,
    fleet,
    health,
    installation,
    inventory,
    machines,
    operations,
    poison,
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
    operations,
    agenda,
    machines,
    configurations,
    fleet,
    health,
    poison,
    release,
    fallback,
)
for capability in CAPABILITIES:
    app.register_functions(capability.blueprint)
