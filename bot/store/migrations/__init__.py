"""Every change the tables went through, each by the matter it is about. What a release had is never edited."""
