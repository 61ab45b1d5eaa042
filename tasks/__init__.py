"""How the work is done: one package a stage, none of which knows Prefect."""
