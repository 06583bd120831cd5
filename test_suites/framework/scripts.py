"""What the scripts of several test modules share, that stand in for a session."""


def last_set(sent, question, *, otherwise):
    """What a question about a setting is answered, from what was sent; else `otherwise`."""
    header = question.split()[0].rstrip("?")
    for text in reversed(sent):
        asked, _, value = text.partition(" ")
        if asked == header:
            return value
        if asked.startswith("CONF:"):
            function = asked.removeprefix("CONF:")
            told = {"SENS:FUNC": function.partition(":")[0], f"SENS:{function}:RANG": value}
            if header in told:
                return told[header]
    return otherwise
