"""The suites that judge a stimulator, and their requirement catalogue."""
