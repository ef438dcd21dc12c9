"""The rows of the catalogue, one module an area; its title is the module's docstring."""
