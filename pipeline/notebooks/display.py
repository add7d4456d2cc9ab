"""How a notebook shows tables: text to the left and whole, numbers short, and nothing of a file as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def table_html(frame: pd.DataFrame) -> str:
    """Return a table as HTML; what stands in it is escaped."""
    import pandas as pd

    # Without names of index and columns there is one row of headings.
    shown = frame.rename_axis(index=None, columns=None)
    texts = [name for name in shown if not pd.api.types.is_numeric_dtype(shown[name])]
    style = shown.style.format(escape="html", precision=3, na_rep="–")
    style = style.format_index(escape="html", axis=0).format_index(escape="html", axis=1)
    style = style.set_properties(subset=texts, **{"text-align": "left"})
    style = style.set_table_styles([{"selector": "th", "props": "text-align: left"}])
    return str(style.to_html())


def show_tables_well() -> None:
    """Have the notebook show pandas' tables as `table_html` does; outside a notebook nothing happens."""
    shell = _shell()
    if shell is not None:
        shell.display_formatter.formatters["text/html"].for_type_by_name("pandas", "DataFrame", table_html)


def _shell() -> Any:
    import sys

    # Only a notebook has imported it.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
