"""Pages of a list that may have become shorter than the address, or a page that was open for long, believes."""

from collections.abc import Awaitable, Callable

from flakeguard.dashboard.listing import PAGE_SIZE, Page


async def find_page[T](
    asked: int, find: Callable[[Page], Awaitable[tuple[T, int]]], *, size: int = PAGE_SIZE
) -> tuple[T, Page]:
    """What `find` finds for the page `asked`, or past the end for the last one; `find` tells the rows of all pages."""
    found, total = await find(Page(asked, size=size))
    page = Page(min(asked, Page(1, total, size).pages), total, size)
    if page.number != asked:
        found, _ = await find(page)
    return found, page
