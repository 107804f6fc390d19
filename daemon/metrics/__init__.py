"""The daemon's numbers: counted in plain fields, read and written for Prometheus when it asks."""
