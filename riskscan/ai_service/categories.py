"""The categories of risks, in the order of the model's scores."""

CATEGORIES = ("Financial", "Schedule", "Technical", "Legal", "Operational", "Compliance", "Other")
