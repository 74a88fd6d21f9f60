"""For authors of plugins: contract checks, and fakes to test against."""
