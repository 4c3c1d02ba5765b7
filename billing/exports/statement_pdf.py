"""A monthly statement as PDF. The same statement gives the same bytes."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from billing import money
from billing.exports.statement_cells import NUMBERS, cells_of, when
from billing.reports import Line
from billing.statements import Statement

CONTENT_TYPE = "application/pdf"
PLAIN, BOLD = "Vera", "VeraBd"
MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
INK, FAINT, RULE = colors.HexColor("#111827"), colors.HexColor("#6b7280"), colors.HexColor("#d1d5db")
BARS = colors.HexColor("#4f46e5")
BODY = ParagraphStyle("body", fontName=PLAIN, fontSize=8, leading=11, textColor=INK)
SMALL = ParagraphStyle("small", parent=BODY, fontSize=7, leading=9.5, textColor=FAINT)
TITLE = ParagraphStyle("title", parent=BODY, fontName=BOLD, fontSize=16, leading=20)
HEADING = ParagraphStyle("heading", parent=BODY, fontName=BOLD, fontSize=10, leading=14, spaceBefore=12, spaceAfter=4)
RIGHT = ParagraphStyle("right", parent=BODY, alignment=2)


def pdf(statement: Statement) -> bytes:
    """The file."""
    _register_fonts()
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"Statement {statement.number}",
        author="Portcullis",
        invariant=1,  # no time of making, no random identifier
    )
    foot = _foot(statement)
    document.build(_story(statement), onFirstPage=foot, onLaterPages=foot)
    return buffer.getvalue()


def _register_fonts() -> None:
    """Those that come with reportlab; its standard fonts know Latin-1 only."""
    folder = Path(reportlab.__file__).parent / "fonts"
    for name in (PLAIN, BOLD):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))


def _story(statement: Statement) -> list[Flowable]:
    return [
        *_head(statement),
        _totals(statement),
        Paragraph("Cost by day", HEADING),
        DayChart(statement.days),
        *_section("By model", statement.models),
        *_section("By application", statement.applications),
        *_section("By key", statement.keys),
        *_adjustments(statement),
    ]


def _head(statement: Statement) -> list[Flowable]:
    tenant = statement.tenant
    state = "Final" if statement.is_final else "Provisional: the month is not over, or not settled yet"
    return [
        Paragraph(f"Statement {statement.month:%B %Y}", TITLE),
        Paragraph(f"{escape(tenant.name)} ({tenant.slug})", BODY),
        Spacer(1, 4),
        Paragraph(
            f"Number {statement.number} · days in {tenant.time_zone} · as of {when(statement)} · {state}<br/>"
            f"Fingerprint of the figures {statement.fingerprint}",
            SMALL,
        ),
        Spacer(1, 8),
    ]


def _totals(statement: Statement) -> Table:
    usage = statement.usage
    rows = [
        ("Requests", f"{usage.requests:,}", "Usage", money.in_full(usage.cost_nano)),
        ("of them refused", f"{usage.refused:,}", "Adjustments", money.in_full(statement.adjusted_nano)),
        ("Input tokens", f"{usage.input_tokens:,}", "Total", money.in_full(statement.total_nano)),
        ("of them cached", f"{usage.cached_input_tokens:,}", "of usage estimated", statement.estimated),
        ("of them written to cache", f"{usage.cache_write_tokens:,}", "", ""),
        ("Output tokens", f"{usage.output_tokens:,}", "", ""),
        ("of them reasoning", f"{usage.reasoning_tokens:,}", "", ""),
    ]
    cells = [
        [Paragraph(a, BODY), Paragraph(b, RIGHT), "", Paragraph(c, BODY), Paragraph(d, RIGHT)] for a, b, c, d in rows
    ]
    table = Table(cells, colWidths=[45 * mm, 35 * mm, 14 * mm, 40 * mm, WIDTH - 134 * mm])
    table.setStyle(TableStyle([*_TIGHT, ("BACKGROUND", (3, 2), (4, 2), colors.HexColor("#eef2ff"))]))
    return table


_TIGHT = [
    ("TOPPADDING", (0, 0), (-1, -1), 1.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
]


def _section(title: str, lines: Sequence[Line]) -> list[Flowable]:
    if not lines:
        return [Paragraph(title, HEADING), Paragraph("None.", BODY)]
    rows = [
        [Paragraph(escape(line.label or "without a name"), BODY), *(Paragraph(cell, RIGHT) for cell in cells_of(line))]
        for line in lines
    ]
    head = [Paragraph("", SMALL), *(Paragraph(f'<para align="right">{name}</para>', SMALL) for name in NUMBERS)]
    return [
        Paragraph(title, HEADING),
        _table([head, *rows], [WIDTH - 118 * mm, 20 * mm, 24 * mm, 24 * mm, 22 * mm, 28 * mm]),
    ]


def _adjustments(statement: Statement) -> list[Flowable]:
    title = Paragraph("Adjustments", HEADING)
    if not statement.adjustments:
        return [title, Paragraph("None.", BODY)]
    rows = [
        [
            Paragraph(f"{each.at.astimezone(statement.zone):%Y-%m-%d %H:%M}", BODY),
            Paragraph(escape(each.about), BODY),
            Paragraph(escape(each.reason), BODY),
            Paragraph(money.in_full(each.amount_nano), RIGHT),
        ]
        for each in statement.adjustments
    ]
    head = [Paragraph(name, SMALL) for name in ("When", "About", "Reason")] + [
        Paragraph('<para align="right">Amount</para>', SMALL)
    ]
    return [title, _table([head, *rows], [28 * mm, 48 * mm, WIDTH - 104 * mm, 28 * mm])]


def _table(rows: list[list[Any]], widths: list[Any]) -> Table:
    table = Table(rows, colWidths=widths, repeatRows=1)
    table.setStyle(TableStyle([*_TIGHT, ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE)]))
    return table


class DayChart(Flowable):  # type: ignore[misc]
    """A bar for each day."""

    HEIGHT, TALLEST = 84, 60

    def __init__(self, days: Sequence[Line]) -> None:
        super().__init__()
        self._days = days

    def wrap(self, *_: Any) -> tuple[Any, Any]:
        return WIDTH, self.HEIGHT

    def draw(self) -> None:
        canvas: Canvas = self.canv
        top = max(line.cost_nano for line in self._days)
        step = WIDTH / len(self._days)
        canvas.setFont(PLAIN, 6)
        canvas.setFillColor(FAINT)
        canvas.drawString(0, self.HEIGHT - 8, f"Highest day: {money.in_full(top)}")
        for place, line in enumerate(self._days):
            height = line.cost_nano * self.TALLEST // top if top else 0
            canvas.setFillColor(BARS)
            canvas.rect(place * step + 1, 10, step - 2, height, stroke=0, fill=1)
            canvas.setFillColor(FAINT)
            canvas.drawCentredString((place + 0.5) * step, 2, line.key[-2:])


def _foot(statement: Statement) -> Callable[[Canvas, Any], None]:
    def draw(canvas: Canvas, document: Any) -> None:
        canvas.setFont(PLAIN, 6.5)
        canvas.setFillColor(FAINT)
        canvas.drawString(MARGIN, 10 * mm, f"Statement {statement.number}")
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, f"Page {document.page}")

    return draw
