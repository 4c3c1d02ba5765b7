from compliance.errors import ActionRefused


class SourceUnreadable(ActionRefused):
    """A secret cannot be read from where it should be. The text is for people, and holds nothing of the secret."""
