"""Every error that stimproof raises: one root, few leaves.

`UsageError`: the author of a test or of a file is wrong. `BenchError`: the world is wrong.
`SafetyError`: something may be energised that must not be. A FAIL is no error: it is a verdict.
"""


class HilError(Exception):
    """Root of all errors of stimproof."""


class UsageError(HilError, ValueError):
    """A test, a command line or a file asks for something that is not offered."""


class ConfigurationError(UsageError):
    """A device or bench file cannot be used; names file, key, value and what is allowed."""


class DimensionError(UsageError):
    """Two dimensions met, or a bare number stood where a quantity belongs."""


class BenchError(HilError):
    """The bench failed: instrument, link or wiring. Never the device's fault by itself."""


class Unavailable(BenchError):
    """This bench lacks what a test needs; its requirements are NOT_EVALUATED, with this reason."""


class Unanswered(BenchError):
    """No operator answered a prompt in its time; what it asked for counts as not done."""


class InstrumentError(BenchError):
    """An instrument answered with an error, or with something that cannot be read."""


class WrongIdentity(BenchError):
    """What answered under a resource name is not the instrument that the bench file expects."""


class ConnectionLost(BenchError, OSError):
    """The peer closed the connection; this is known at once and is not a timeout."""


class Locked(BenchError):
    """Another client holds the lock of an instrument; it neither hears nor answers ours."""


class ReplyTimeout(BenchError, TimeoutError):
    """No complete reply came in time; the session is poisoned until it has been cleared."""


class SessionPoisoned(BenchError):
    """A session refuses to go on after a timeout: the next reply could be the previous one's."""


class Overdue(BenchError):
    """A test has taken longer than its timeout. Raised by a wait or a command, never in between."""


class SafetyError(HilError):
    """Energising was refused, or off could not be confirmed."""


class LimitExceeded(SafetyError):
    """A command lies outside the envelope of the test; nothing was sent."""


class SafeStateUnconfirmed(SafetyError):
    """Off was commanded and not proven. The bench is broken: every later use raises this again."""


class Abort(BaseException):
    """The run ends now. A BaseException, so that neither a test nor Hypothesis swallows it."""
