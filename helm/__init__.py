"""What makes the generated parts of the chart: its schema of values and its README."""
