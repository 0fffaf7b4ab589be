"""The rooms behind the functions: domain, workflows, cloud, store."""
