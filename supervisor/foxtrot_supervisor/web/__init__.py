"""The web view: one page that shows a run and, with a token, changes it."""
