"""boto's own unit tests over stock boto and over the pool, compared: `make boto-suite`."""
