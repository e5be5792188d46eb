"""Who asks."""


def caller() -> str:
    """A name of the request's caller that stays the same.

    All are one as long as nobody has to say who they are.
    """
    return ""
