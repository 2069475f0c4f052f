"""The results as Markdown, in the very form of docs/performance.md."""
import statistics

import rows
import special

BEGIN, END = "<!-- made by tests/bench/run: begin -->", "<!-- made by tests/bench/run: end -->"


def median(numbers):
    return statistics.median(numbers)


def number(value, digits=2):
    return f"{value:.{digits}f}"


class Row:
    """One measured row, read for tables and pictures."""

    def __init__(self, result, goals=True):
        self.result = result
        self.row = next(row for row in rows.ROWS if row.name == result["row"])
        self.rtt, self.runs = result["rtt"], result["runs"]
        self.goal = self.row.goals.get(self.rtt, rows.Goal()) if goals else rows.Goal()
        self.limit = median([one["limit"] for one in result["limits"]])

    def seconds(self, who):
        return median(self.runs[who]["seconds"])

    def of_limit(self, who):
        return self.seconds(who) / self.limit

    def rivals(self):
        """The quickest first; those that were ended last."""
        names = [name for name in self.runs if name != "mailhaul"]
        return sorted(names, key=lambda name: (self.runs[name]["over"], self.seconds(name)))

    def best(self):
        """The quickest rival and how many times as long as mailhaul it took; where none came to its end, the one that was given most."""
        rivals = self.rivals()
        if not rivals:
            return None
        best = rivals[-1] if self.runs[rivals[0]]["over"] else rivals[0]
        over = "over " if self.runs[best]["over"] else ""
        return f"{over}{best}", self.seconds(best) / self.seconds("mailhaul")


def goal(value, wanted, at_most):
    """The value, bold where it misses what is wanted, if anything is."""
    if wanted is None:
        return f"{number(value)}"
    good = value <= wanted if at_most else value >= wanted
    sign = "≤" if at_most else "≥"
    return f"{number(value)} ({sign} {wanted:g})" if good else f"**{number(value)}** ({sign} {wanted:g})"


def overview(found):
    lines = [
        "| work | round trip | mail | limit | mailhaul, of the limit (goal) | best rival | it takes, of mailhaul's time (goal) |",
        "|---|--:|---|--:|--:|---|--:|",
    ]
    for row in found:
        result, best = row.result, row.best()
        mail = f"{result['messages']:,} in {result['folders']}, {result['bytes'] / 1e6:.0f} MB"
        # TLS is held against the rivals alone: the raw sockets know none.
        against = "–" if row.row.tls else goal(row.of_limit("mailhaul"), row.goal.limit, True)
        rival = (best[0], goal(best[1], row.goal.rival, False)) if best else ("–", "–")
        lines.append(f"| {row.row.title} | {row.rtt} ms | {mail} | {number(row.limit)} s | {against} | {rival[0]} | {rival[1]} |")
    return lines


def everyone(found):
    lines = [
        "| work | round trip | program | of the limit | processor seconds | peak MiB | what became of the mail |",
        "|---|--:|---|--:|--:|--:|---|",
    ]
    for row in found:
        for name in ["mailhaul", *row.rivals()]:
            run = row.runs[name]
            over = "over " if run["over"] else ""
            syncs = row.result["syncs"]
            what = run["what"] or "exact"
            if name == "mailhaul" and syncs is not None:
                what += f"; {syncs:,} fsyncs"
            processor = "" if run["over"] else number(median(run["processor"]))
            lines.append(
                f"| {row.row.title} | {row.rtt} ms | {name} | {over}{number(row.of_limit(name))} | {processor} | "
                f"{median(run['peak']):.0f} | {what} |"
            )
        for name in row.result["missing"]:
            lines.append(f"| {row.row.title} | {row.rtt} ms | {name} | not installed | | | |")
    return lines


def idle(found):
    lines = [
        "| nothing new, at 100 ms | program | seconds | round trips | connections to the source / to the destination | bytes on the wire |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for entry in found:
        for name, run in entry["runs"].items():
            trips = str(run["flights"])
            if name == "mailhaul":
                trips = f"**{trips}** (≤ 8)" if run["flights"] > 8 else f"{trips} (≤ 8)"
            lines.append(
                f"| {entry['folders']} folders | {name} | {number(run['seconds'])} | {trips} | {run['source']} / {run['destination']} | "
                f"{run['bytes']:,} |"
            )
    return lines


def adoption(found):
    lines = ["| adopt: all is there, the journal is lost | mail | of a raw fetch of the headers (goal) | bytes on the wire | |", "|---|---|--:|--:|---|"]
    for entry in found:
        ratio = median(entry["seconds"]) / median(entry["limits"])
        lines.append(
            f"| {entry['rtt']} ms | {entry['messages']:,} messages, {entry['bytes'] / 1e6:.0f} MB | {goal(ratio, 1.5, True)} | "
            f"{median(entry['passed']) / 1e6:.1f} MB | {entry['what']} |"
        )
    return lines


def growing(found):
    lines = ["| small messages | a second | peak MiB | again, nothing new: seconds, peak MiB | |", "|--:|--:|--:|--:|---|"]
    for entry in found:
        lines.append(
            f"| {entry['messages']:,} | {entry['messages'] / entry['seconds']:,.0f} | {entry['peak']:.0f} | "
            f"{number(entry['again'])}, {entry['again_peak']:.0f} | {entry['what']} |"
        )
    return lines


def markdown(state, picture):
    """All that is known. `picture`: the file's name, beside the page."""
    found = [Row(result, state["goals"]) for result in state["rows"]]
    parts = [[state["about"]]]
    if found:
        parts += [[f"![Each program's time, as a multiple of the limit]({picture})"], overview(found), everyone(found)]
    tables = {"nothing-new": idle, "adopt": adoption, "growth": growing}
    parts += [tables[name](state["special"][name]) for name in special.NAMES if name in state["special"]]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def put(path, text):
    """Writes the text into the page between the marks, or as a page of its own."""
    try:
        with open(path) as file:
            page = file.read()
    except FileNotFoundError:
        page = f"{BEGIN}\n{END}\n"
    if BEGIN not in page or END not in page:
        raise SystemExit(f"{path} has no lines {BEGIN} and {END}: nowhere to put the results")
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(path, "w") as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
