"""`demo incident`: what happened to others, before and after, on real workers."""
