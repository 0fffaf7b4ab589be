"""How we talk to Azure: the only importer of azure.mgmt, azure.identity and ARM REST."""
