"""Suites that judge a stimulator by example: one module for each subject."""
