"""Training on this machine: LoRA adapters by transformers, peft and trl."""
