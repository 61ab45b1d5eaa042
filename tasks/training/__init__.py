"""From a dataset version to a model that is served."""
