"""The one error that ends the host at its start."""


class Refused(Exception):
    """The app, its settings or host.json ask for something this host cannot do; the text is one clear sentence."""
