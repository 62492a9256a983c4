"""The English half of the documents and questions: policies, loans, internal rules, annual reports."""

from __future__ import annotations

from random import Random

from bench.answers_corpus import Clause, Document

_BRANDS = ("Harbour", "Northlight", "Kestrel", "Oakfield", "Summit", "Meridian", "Larkspur", "Granite", "Bluewater", "Fairview")
_PLANS = ("Family Health Plan", "Term Life Policy", "Income Protection Plan", "Travel Cover Policy", "Group Medical Scheme")
_LOANS = ("Business Loan", "Home Mortgage", "Equipment Lease", "Revolving Credit Facility")


def _policy(random: Random) -> list[tuple[str, str, tuple[str, ...]]]:
    pick = random.choice
    wait, grace, cool, age = pick((30, 60, 90)), pick((14, 31)), pick((10, 14, 21)), pick((60, 65, 70))
    excess, share, limit = pick((250, 500, 1000)), pick((10, 20, 30)), pick((50_000, 100_000, 250_000))
    return [
        (
            "Waiting period",
            f"No benefit is payable for illness diagnosed within {wait} days after the commencement date.",
            ("What is the waiting period of the {name}?", "How many days does the waiting period of the {name} last?"),
        ),
        (
            "Grace period",
            f"A grace period of {grace} days is allowed for each premium after the first. Cover continues during that time.",
            ("How long is the grace period of the {name}?",),
        ),
        (
            "Cooling-off",
            f"You may return this policy within {cool} days of receipt and receive a full refund of premiums paid.",
            ("Within how many days can the {name} be returned for a full refund?",),
        ),
        (
            "Entry age",
            f"Applicants must be between 18 and {age} years old when cover starts.",
            ("What is the maximum age for applicants of the {name}?",),
        ),
        (
            "Excess",
            f"An excess of ${excess:,} applies to each hospital admission.",
            ("How much is the excess for each hospital admission under the {name}?",),
        ),
        (
            "Co-payment",
            f"The insured person bears {share}% of eligible outpatient expenses; the insurer pays the rest.",
            ("What percentage of outpatient expenses does the insured bear under the {name}?",),
        ),
        (
            "Annual limit",
            f"The total of all benefits in a policy year is limited to ${limit:,}.",
            ("What is the annual limit of benefits under the {name}?", "How much does the {name} pay at most in a policy year?"),
        ),
        *_claims(random),
    ]


def _claims(random: Random) -> list[tuple[str, str, tuple[str, ...]]]:
    claim, survive = random.choice((20, 30, 90)), random.choice((14, 28))
    return [
        (
            "Notice of claim",
            f"Written notice of a claim must reach the insurer within {claim} days after the event.",
            ("Within how many days must written notice of a claim under the {name} reach the insurer?",),
        ),
        (
            "Exclusions",
            "The insurer does not pay for: (a) intentional self-injury; (b) war or civil commotion; (c) professional sports; (d) "
            "cosmetic surgery.",
            ("What are the exclusions of the {name}?", "Does the {name} pay for cosmetic surgery?"),
        ),
        (
            "Beneficiary",
            "The policyholder may nominate one or more beneficiaries; otherwise the benefit is paid to the estate.",
            ("Who receives the benefit of the {name} if no beneficiary was nominated?",),
        ),
        (
            "Survival benefit",
            f"A lump sum is paid if the insured survives {survive} days after diagnosis of a critical illness.",
            ("How many days after diagnosis must the insured survive under the {name}?",),
        ),
        (
            "Hospital",
            "Hospital means a licensed institution with round-the-clock nursing; nursing homes and spas are not hospitals.",
            ("What does hospital mean in the {name}?",),
        ),
        (
            "Governing law",
            "This policy is governed by the laws of the place where it was issued, and disputes go to arbitration.",
            ("How are disputes under the {name} resolved?",),
        ),
    ]


def _loan(random: Random) -> list[tuple[str, str, tuple[str, ...]]]:
    pick = random.choice
    rate, late, fee, term = pick((3.95, 4.5, 5.25, 6.1)), pick((2, 3)), pick((0.5, 1, 1.5)), pick((3, 5, 10, 25))
    notice, ltv, amount, days = pick((10, 30)), pick((65, 75, 80)), pick((100_000, 500_000, 2_000_000)), pick((5, 10))
    return [
        (
            "Interest",
            f"Interest accrues at a fixed rate of {rate}% per annum and is payable monthly.",
            ("What is the interest rate of the {name}?",),
        ),
        (
            "Default interest",
            f"Overdue amounts bear additional interest of {late}% per annum until paid.",
            ("What additional interest rate do overdue amounts of the {name} bear?",),
        ),
        (
            "Arrangement fee",
            f"The borrower pays an arrangement fee of {fee}% of the facility on signing.",
            ("What percentage is the arrangement fee of the {name}?",),
        ),
        (
            "Term",
            f"The facility must be repaid in full no later than {term} years after the first drawdown.",
            ("How many years after drawdown must the {name} be repaid?",),
        ),
        (
            "Prepayment",
            f"The borrower may prepay on {notice} days' written notice without penalty.",
            ("How many days of notice are needed to prepay the {name}?", "Can the {name} be prepaid without penalty?"),
        ),
        (
            "Security",
            f"Advances may not exceed {ltv}% of the appraised value of the collateral.",
            ("What percentage of the collateral's appraised value may advances of the {name} reach?",),
        ),
        (
            "Facility amount",
            f"The aggregate principal may not exceed ${amount:,}.",
            ("How much may the aggregate principal of the {name} be?",),
        ),
        (
            "Conditions precedent",
            "Drawdown requires: (a) certified constitutional documents; (b) evidence of insurance; (c) a registered charge.",
            ("What are the conditions precedent to drawdown of the {name}?",),
        ),
        (
            "Approval",
            f"The credit committee decides within {days} business days after a complete application.",
            ("Within how many business days does the credit committee decide on the {name}?",),
        ),
        (
            "Use of proceeds",
            "Proceeds may not be used for speculation in securities or for political donations.",
            ("May proceeds of the {name} be used for political donations?",),
        ),
    ]


def _figure(random: Random) -> str:
    return f"{random.randrange(1_000, 99_999) / 10:,.1f}"


def _report(random: Random, name: str, year: int) -> Document:
    metrics = random.sample(
        ("Net interest income", "Fee income", "Operating expenses", "Customer deposits", "Impairment charge", "Profit before tax"), 5
    )
    header = f"Selected figures (in millions of dollars)\nItem | {year} | {year - 1}"
    clauses = [
        Clause(
            metric,
            f"Item | {year} | {year - 1}\n{metric} | {_figure(random)} | {_figure(random)}",
            (f"What was the {metric.lower()} of {name} in {random.choice((year, year - 1))}?",),
            header,
        )
        for metric in metrics
    ]
    clauses.append(
        Clause(
            "Employees",
            f"At 31 December {year} the group employed {random.randrange(900, 30_000):,} people.",
            (f"How many people did {name} employ at the end of {year}?",),
        )
    )
    clauses.append(
        Clause(
            "Dividend",
            f"The record date of the final dividend is {random.randrange(1, 28)} May {year + 1}.",
            (f"When is the record date of the final dividend of {name}?",),
        )
    )
    clauses.append(
        Clause(
            "Auditor",
            "The auditor issued an unqualified opinion on the consolidated financial statements.",
            (f"What opinion did the auditor of {name} issue?",),
        )
    )
    return Document(f"{name} Annual Report {year}", tuple(clauses))


def english(random: Random, products: int) -> list[Document]:
    """Return policies, loans and annual reports."""
    found: list[Document] = []
    for name in random.sample([f"{brand} {plan}" for brand in _BRANDS for plan in _PLANS], products // 2):
        parts = random.sample(_policy(random), 10)
        found.append(
            Document(name, tuple(Clause(f"{place} {heading}", text, asked) for place, (heading, text, asked) in enumerate(parts, 1)))
        )
    for name in random.sample([f"{brand} {loan}" for brand in _BRANDS for loan in _LOANS], products // 3):
        parts = random.sample(_loan(random), 8)
        found.append(
            Document(name, tuple(Clause(f"{place} {heading}", text, asked) for place, (heading, text, asked) in enumerate(parts, 1)))
        )
    found += [
        _report(random, f"{brand} Bank", random.randrange(2019, 2025))
        for brand in random.sample(_BRANDS, min(len(_BRANDS), products - len(found)))
    ]
    return found
