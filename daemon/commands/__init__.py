"""The subcommands of `botod`, a module each with a `main(argv)` that gives the exit status."""
