"""Front ends of real models, one a file: what each answers on the wire."""
