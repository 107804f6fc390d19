"""What every work of the benchmark is measured with: rounds, figures, tables, plots, peers."""
