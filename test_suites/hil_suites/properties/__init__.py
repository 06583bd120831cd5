"""Suites that judge a stimulator by properties: statements that hold for all treatments."""
