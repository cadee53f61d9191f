"""The built-in analyser: features of a sentence, and the weights learned from labelled sentences."""
