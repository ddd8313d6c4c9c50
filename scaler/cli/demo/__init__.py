"""`demo`: a real fleet being sized, from an empty machine to a picture; and `demo incident`."""

from cyclopts import App

from scaler.cli.demo.command import demo as everyday
from scaler.cli.demo.incident.command import incident as replayed

demo = App(name="demo", help_epilogue="")
demo.default(everyday)
demo.command(replayed, name="incident", help_epilogue="")

__all__ = ["demo"]
