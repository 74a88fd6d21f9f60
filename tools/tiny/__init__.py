"""Makes the model ``tiny``: worlds, demonstrations, tokenizer, training, measurement. See README.md."""
