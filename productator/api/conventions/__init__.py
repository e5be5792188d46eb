"""What all resources share: one module for each convention."""
