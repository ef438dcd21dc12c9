"""Problems crossed with engines: time and log-likelihood of every fit."""
