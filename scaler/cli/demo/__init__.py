"""`demo`: a real fleet being sized, from an empty machine to a picture."""

from scaler.cli.demo.command import demo

__all__ = ["demo"]
