"""The real programs as processes: started on free ports, watched, and stopped by their own process ids."""
