"""What firmware answers when it does not do what it was told."""


class Refused(Exception):
    """The device does not do what it was told; nothing was changed.

    Attributes:
        code: SCPI error code, as -221.
        text: what was asked, what is the matter, what is allowed.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}, {text}")
        self.code = code
        self.text = text
