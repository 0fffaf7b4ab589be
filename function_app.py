"""Open Update Manager: one Blueprint a capability. Composition only; what happens is in `functions` and `shared`."""

import azure.functions as func

from functions import agenda, assessment, fallback, fleet, installation, inventory, machines, operations, poison, runs

app = func.FunctionApp()
for capability in (inventory, assessment, installation, runs, operations, agenda, machines, fleet, poison, fallback):
    app.register_functions(capability.blueprint)
