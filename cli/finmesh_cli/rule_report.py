"""The report of a test of rules as tables: outcomes, moves, known fraud, rules. Numbers stand beside those of the rules in force."""

from __future__ import annotations

from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finmesh_cli import show, words
from finmesh_cli.settings import Language

_MAX_RULES = 10
_BETTER, _WORSE = "green", "red"


def show_report(out: Console, report: risk.BacktestRulesResponse, language: Language) -> None:
    """Print it."""
    _head(out, report, language)
    if not report.decisions:
        out.print(words.say("no decisions were recorded since then", language), style="yellow", markup=False)
        return
    out.print(_outcomes(report, language))
    if report.moved:
        out.print(_moved(report, language))
    else:
        out.print(words.say("nothing would change", language), style="green", markup=False)
    out.print(_fraud(report, language))
    changed = _changed_rules(report)
    if changed:
        out.print(_rules(changed, language))


def _head(out: Console, report: risk.BacktestRulesResponse, language: Language) -> None:
    show.line(out, "now", report.present.version, language)
    show.line(out, "then", report.candidate.version, language)
    show.line(out, "compared", f"{report.decisions:,}", language)
    if report.decisions:
        show.line(out, "period", f"{show.moment(report.first_decided)} – {show.moment(report.last_decided)}", language)
    warnings = []
    if report.left_out:
        warnings.append(f"{words.say('left out: records without what rules read', language)}: {report.left_out:,}")
    if not report.complete:
        warnings.append(words.say("not everything since then was looked at: shorten --since", language))
    if differ := report.made_by_present - report.reproduced:
        text = words.say("{differ} of {made} decisions of the rules in force come out otherwise", language)
        warnings.append(text.format(differ=f"{differ:,}", made=f"{report.made_by_present:,}"))
    for warning in warnings:
        show.line(out, "", warning, language, "yellow")


def _table(title: str, columns: tuple[str, ...], language: Language) -> Table:
    """A table whose first column is text and whose others are numbers."""
    table = Table(title=words.say(title, language), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(words.say(column, language), justify="right" if number else "left", no_wrap=True)
    return table


def _outcomes(report: risk.BacktestRulesResponse, language: Language) -> Table:
    table = _table("outcomes", ("outcome", "now", "then", "change", "now", "then"), language)
    for now, then in zip(report.present.outcomes, report.candidate.outcomes, strict=True):
        table.add_row(
            Text(words.outcome(now.outcome, language), style=show.OUTCOME_STYLES.get(now.outcome, "")),
            f"{now.count:,}",
            f"{then.count:,}",
            _difference(then.count - now.count),
            _money(now.amount_minor, report),
            _money(then.amount_minor, report),
        )
    return table


def _moved(report: risk.BacktestRulesResponse, language: Language) -> Table:
    table = _table("moved", ("from", "to", "transactions"), language)
    for move in sorted(report.moved, key=lambda move: -move.count):
        present, candidate = (
            Text(words.outcome(each, language), style=show.OUTCOME_STYLES.get(each, "")) for each in (move.present, move.candidate)
        )
        table.add_row(present, candidate, f"{move.count:,}")
    return table


def _fraud(report: risk.BacktestRulesResponse, language: Language) -> Table:
    now, then = report.present, report.candidate
    table = _table("known fraud", ("", "now", "then", "change"), language)

    def row(label: str, before: int, after: int, good: bool) -> None:
        table.add_row(words.say(label, language), f"{before:,}", f"{after:,}", _difference(after - before, more_is_good=good))

    row("caught", now.fraud_caught, then.fraud_caught, good=True)
    row("missed", now.fraud_missed, then.fraud_missed, good=False)
    caught, missed = (now.fraud_caught_minor, then.fraud_caught_minor), (now.fraud_missed_minor, then.fraud_missed_minor)
    for label, (before, after) in (("amount caught", caught), ("amount missed", missed)):
        table.add_row(words.say(label, language), _money(before, report), _money(after, report), "")
    table.add_row(words.say("newly caught", language), "", "", _difference(report.fraud_gained, more_is_good=True))
    table.add_row(words.say("no longer caught", language), "", "", _difference(-report.fraud_lost, more_is_good=True))
    row("genuine with friction", now.genuine_with_friction, then.genuine_with_friction, good=False)
    return table


def _changed_rules(report: risk.BacktestRulesResponse) -> list[tuple[str, risk.RuleHits, risk.RuleHits]]:
    """Rules whose hits differ, greatest difference first; a rule that one side lacks has no hits there."""
    now = {each.rule: each for each in report.present.rules}
    then = {each.rule: each for each in report.candidate.rules}
    none = risk.RuleHits()
    pairs = [(rule, now.get(rule, none), then.get(rule, none)) for rule in dict.fromkeys((*now, *then))]
    changed = [(rule, before, after) for rule, before, after in pairs if before.hits != after.hits]
    return sorted(changed, key=lambda each: -abs(each[2].hits - each[1].hits))[:_MAX_RULES]


def _rules(changed: list[tuple[str, risk.RuleHits, risk.RuleHits]], language: Language) -> Table:
    table = _table("rules", ("rule", "now", "of fraud", "then", "of fraud", "change"), language)
    for rule, before, after in changed:
        table.add_row(
            Text(rule),
            f"{before.hits:,}",
            f"{before.fraud_hits:,}",
            f"{after.hits:,}",
            f"{after.fraud_hits:,}",
            _difference(after.hits - before.hits),
        )
    return table


def _difference(value: int, more_is_good: bool | None = None) -> Text:
    style = "" if more_is_good is None or not value else _BETTER if (value > 0) == more_is_good else _WORSE
    return Text(f"{value:+,}" if value else "0", style=style)


def _money(amount_minor: int, report: risk.BacktestRulesResponse) -> str:
    return show.money(Money(amount_minor=amount_minor, currency_code=report.currency_code))
