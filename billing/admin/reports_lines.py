"""The table of a report, each figure as people read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from billing import money
from billing.admin.reports_chart import REST, percent
from billing.admin.reports_links import Links
from billing.report_params import MOST_LINES, NONE
from billing.report_table import title_of
from billing.reports import Dimension, Line, Report, Sums

MANY = {
    Dimension.TENANT: "tenants",
    Dimension.APPLICATION: "applications",
    Dimension.ENVIRONMENT: "environments",
    Dimension.API_KEY: "API keys",
    Dimension.END_USER: "end users",
    Dimension.MODEL: "models",
    Dimension.PROVIDER: "providers",
    Dimension.TAG: "values",
    Dimension.DAY: "days",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums in words; empty where there is nothing worth a word."""

    requests: str
    refused: str
    failed: str
    input_tokens: str
    cached: str
    output_tokens: str
    reasoning: str
    cost: str
    exact_cost: str
    estimated: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line with its way on. `series` is its colour in the chart."""

    label: str
    url: str
    figures: Figures
    share: str
    width: str
    series: int | None = None
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    heading: str
    note: str
    rows: list[Row]
    total: Figures
    more_url: str


def lay_out(report: Report, links: Links, colours: Mapping[str, int]) -> Table:
    """The report's lines, what they leave out, and the total."""
    asked = links.asked
    heading = title_of(asked, asked.by)
    rows = [_row(line, report, links, colours) for line in report.lines]
    if report.others:
        rest = report.others
        width = percent(rest.cost_nano, report.total.cost_nano)
        rows.append(Row(rest.label, "", figures(rest), _share(rest, report.total), width, REST, is_rest=True))
    count = len(report.lines)
    many = MANY[asked.by] if count != 1 else heading.lower()
    note = f"the {count:,} dearest {many}" if report.others else f"{count:,} {many}"
    more_url = links.to(limit=str(MOST_LINES)) if report.others and asked.most < MOST_LINES else ""
    return Table(f"By {_inside(heading)}", heading, note, rows, figures(report.total), more_url)


def _inside(heading: str) -> str:
    """A heading within a sentence; what is a name or an abbreviation stays as it is."""
    return heading if heading.startswith("API") else heading[0].lower() + heading[1:]


def _row(line: Line, report: Report, links: Links, colours: Mapping[str, int]) -> Row:
    width = percent(line.cost_nano, report.total.cost_nano)
    series = None if links.asked.by is Dimension.DAY else colours.get(line.key, REST)
    label = _day(line.key) if links.asked.by is Dimension.DAY else line.label or line.key or NONE
    return Row(label, links.of_line(line.key), figures(line), _share(line, report.total), width, series)


def _day(key: str) -> str:
    return f"{date.fromisoformat(key):%a %-d %b %Y}"


def figures(sums: Sums) -> Figures:
    return Figures(
        requests=f"{sums.requests:,}",
        refused=f"{sums.refused:,}" if sums.refused else "",
        failed=f"{sums.failed:,}" if sums.failed else "",
        input_tokens=f"{sums.input_tokens:,}",
        cached=_per_cent(sums.cached_input_tokens, sums.input_tokens),
        output_tokens=f"{sums.output_tokens:,}",
        reasoning=_per_cent(sums.reasoning_tokens, sums.output_tokens),
        cost=money.show(sums.cost_nano),
        exact_cost=f"${money.to_dollars(sums.cost_nano):f}",
        estimated=_per_cent(sums.estimated_nano, sums.cost_nano),
    )


def _share(line: Sums, total: Sums) -> str:
    return _per_cent(line.cost_nano, total.cost_nano) or "–"


def _per_cent(part: int, whole: int) -> str:
    """Whole per cents, one place below ten of them; nothing of nothing is empty."""
    if not part or whole <= 0:
        return ""
    tenths = part * 1000 // whole
    if tenths < 1:
        return "< 0.1 %"
    return f"{tenths // 10} %" if tenths >= 100 else f"{tenths // 10}.{tenths % 10} %"
