"""Charts of prices over time, as SVG. Pure: values in, markup out."""
