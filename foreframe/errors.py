"""The errors a user can cause: their message says what is wrong, where, and what to do next."""


class UserError(ValueError):
    """Wrong input by a user; printed without a traceback by the stages and the command line."""


class ArtefactError(UserError):
    """A file that is damaged, incomplete, or not what its reader expects."""
