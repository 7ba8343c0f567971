"""What is known of one request, as a ZIP that can be examined without this program."""
