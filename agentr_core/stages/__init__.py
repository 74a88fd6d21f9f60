"""The stages of a run: search, revise, train, evaluate. Each works over the store and can be resumed alone."""
