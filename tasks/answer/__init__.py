"""From a question to a grounded, cited answer."""
