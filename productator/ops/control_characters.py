"""Escapes characters that could control an operator's terminal: texts of clients get into logs."""


def escaped(text: str) -> str:
    r"""The text in one line, its control and other invisible characters as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in text
    )


def escaped_lines(text: str) -> str:
    """The text in its lines, each of them escaped."""
    return "\n".join(escaped(line) for line in text.split("\n"))
