"""How well a model answers questions whose answers are known: measures, examination, comparison."""
