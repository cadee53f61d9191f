"""The local model: features of a sentence, and the weights learned from labelled sentences."""
