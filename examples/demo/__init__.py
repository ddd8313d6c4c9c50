"""A real fleet being sized, from an empty machine to a picture; and the incident that this product is for."""
