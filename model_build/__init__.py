"""Training, evaluation and conversion of models: heavy dependencies, the optional extra ``build``."""
