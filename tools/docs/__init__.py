"""What the documentation site is made with: the reference pages from the code, and llms.txt from the pages.

``python -m tools.docs reference`` writes ``docs/reference``; ``python -m tools.docs llms`` goes over a site that has
been built. ``make docs`` does both, around the build itself.
"""
