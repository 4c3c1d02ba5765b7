"""Money in forms: people read and write dollars, rows hold nano-dollars."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import money

MOST_NANO = 2**63 - 1
DOLLARS = re.compile(r"\$?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?", re.ASCII)
"""A comma only groups thousands; that "2,5" is two and a half somewhere else must not make it twenty-five here."""


class DollarsField(forms.DecimalField):
    """Takes dollars and gives nano-dollars."""

    def __init__(self, **options: Any) -> None:
        widget = UnfoldAdminTextInputWidget(
            attrs={"inputmode": "decimal", "prefix": "$", "class": "pcl-dollars", "autocomplete": "off"}
        )
        super().__init__(min_value=0, decimal_places=9, max_digits=19, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return plain(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        if isinstance(value, str) and (value := value.strip()):
            if not DOLLARS.fullmatch(value):
                raise ValidationError("Write dollars as 1234.56 or 1,234.56.")
            value = value.removeprefix("$").replace(",", "")
        dollars = super().clean(value)
        if dollars is None:
            return None
        nano = money.from_dollars(dollars)
        if nano > MOST_NANO:
            raise ValidationError(f"Enter at most {money.show(MOST_NANO)}.")
        return nano

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(money.to_dollars(initial) if isinstance(initial, int) else initial, data)


class DollarFields:
    """For an admin: every column that ends in `_nano` is entered in dollars."""

    def formfield_for_dbfield(self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if not db_field.name.endswith("_nano"):
            return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        label = str(db_field.verbose_name).partition(",")[0].capitalize()
        initial = db_field.default if isinstance(db_field.default, int) else None
        return DollarsField(label=label, initial=initial, help_text=db_field.help_text, required=not db_field.blank)


def plain(nano: int) -> str:
    """Dollars without needless zeros, as people would type them: `2.5`, `0.00015`, `100`."""
    text = f"{money.to_dollars(nano):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def per_million(nano: int) -> str:
    """A price for a column: `$2.50`, `$0.075`."""
    dollars = Decimal(plain(nano))
    places = max(2, -int(dollars.as_tuple().exponent))
    return f"${dollars:,.{places}f}"
