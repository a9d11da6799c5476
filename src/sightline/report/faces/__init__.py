"""What the report shows of each kind of run: one module a kind, each with its `FACE`."""
