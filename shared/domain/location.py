"""Azure regions, written as display names (`UK South`) or short ones (`uksouth`)."""


def region(text: str) -> str:
    """The short name, which is how two spellings of one region are compared and how Azure answers."""
    return "".join(text.split()).lower()
