"""From an installation's own figures to what its problem needs: prompt, retrieval, training."""
