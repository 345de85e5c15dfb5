"""A simulated Nova: what `make demo` and the tests run against. No product code knows that it exists."""
