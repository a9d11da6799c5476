"""Data sets by name: the catalog, fetching, converting, and the generated demo."""
