"""The policy: who must sign for what, how much may go, and what follows when that changes. Pure."""
