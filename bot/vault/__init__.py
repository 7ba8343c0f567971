"""Where secrets lie sealed, and where they are lent from."""
