"""The Khmer script."""

import re

# any character of its Unicode block
KHMER = re.compile(r"[\u1780-\u17ff]")
