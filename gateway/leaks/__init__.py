"""Keys of this installation where they do not belong: what finds them, and how GitHub reports them. Pure."""
