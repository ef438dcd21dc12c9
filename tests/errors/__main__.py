"""``python -m tests.errors`` writes docs/errors.md from the catalogue."""

from tests.errors.page import PAGE, page

PAGE.write_text(page())
print(f"wrote {PAGE}")
