"""What can be asked for on the command line; each file is imported when one of its commands is."""
