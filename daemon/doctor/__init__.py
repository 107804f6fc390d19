"""`botod doctor`: what keeps a host from being served, with its cause and its cure."""
