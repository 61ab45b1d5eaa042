"""When the work is done: Prefect flows and the command line that runs them by hand."""
