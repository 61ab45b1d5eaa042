"""Training at a provider that speaks OpenAI's fine-tuning API: each job bought once."""
