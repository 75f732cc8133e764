"""Reading back what was published."""
