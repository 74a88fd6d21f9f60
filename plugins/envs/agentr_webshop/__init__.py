"""WebShop for agentr: buy what an instruction asks for in a shop of real or generated products."""
