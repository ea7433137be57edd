"""The error that all others are of."""

from redis.exceptions import ResponseError


class HotpathError(ResponseError):
    """A function refused a call. It begins with a code, and names the argument and the value."""

    def __init__(self, code: str, sentence: str, function: str) -> None:
        super().__init__(f"{code} {sentence}")
        self.code = code
        self.sentence = sentence
        self.function = function
