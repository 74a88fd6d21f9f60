"""Runs as something to send to others: one page that needs nothing but a browser, tables for a paper, trees as graphs.

Nothing is computed here that a table of ``runs`` has: what is drawn and written are those tables. What the terminal's
drawings share with the page (which nodes, which parts of a revision) stands here as well.
"""
