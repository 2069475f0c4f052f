"""tests/bench/run: chooses what is measured, and keeps and tells the results."""
import argparse
import json
import os
import platform
import sys
import time
import traceback
from functools import partial

import measure
import picture
import rows
import special
import table

# What Linux gives a TCP connection that nobody tunes, about: 125 MB a second at 20 ms, 25 at 100 ms.
WINDOW = 2_500_000
QUICK = 12


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    names = [row.name for row in rows.ROWS] + list(special.NAMES)
    parser.add_argument("--only", metavar="ROW[,ROW…]", default=",".join(names), help="rows to measure")
    parser.add_argument("--rtt", type=int, nargs="*", default=[0, 20, 100], help="of the rows' round trips these, milliseconds")
    parser.add_argument("--times", type=int, default=3, help="turns; the median counts")
    parser.add_argument("--quick", action="store_true", help="a twelfth of the mail, one turn")
    parser.add_argument("--no-rivals", dest="rivals", action="store_false", help="mailhaul and the limit alone")
    parser.add_argument("--million", action="store_true", help="a million messages in the row growth")
    parser.add_argument("--window", type=int, default=WINDOW, help="a connection's window, bytes; 0: the distance costs only time")
    parser.add_argument("--rate", type=int, default=0, help="a connection's bytes a second; 0: as it comes")
    parser.add_argument("--patience", type=float, default=120.0, help="no rival gets more seconds than this for one run")
    parser.add_argument("--to", metavar="FILE.md", help="write the tables there too, between the marks, and the picture beside it")
    parser.add_argument("--keep", metavar="FILE.json", help="add to the results of earlier calls that this file keeps")
    options = parser.parse_args()
    options.only = [name for name in options.only.split(",") if name]
    unknown = set(options.only) - set(names)
    if unknown:
        parser.error(f"unknown rows: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if options.quick:
        options.times, options.rtt = 1, [rtt for rtt in options.rtt if rtt < 100]
        options.patience = min(options.patience, 3.0)
    options.scaled = lambda messages, least=60: max(least, messages // QUICK) if options.quick else messages
    return options


def about(options):
    """What the numbers belong to, in a sentence."""
    distance = f"a link with TCP's slow start and a window of {options.window / 1e6:.1f} MB" if options.window else "a link that costs only time"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    turns = "one turn" if options.times == 1 else f"the median of {options.times} turns"
    less = ", with `--quick`, which is too little mail to tell much" if options.quick else ""
    return (
        f"Measured on {time.strftime('%-d %B %Y')}: {os.cpu_count()} processors, {memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}, "
        f"Dovecot at both ends, mail in memory, {distance}; {turns}{less}. The load average was {os.getloadavg()[0]:.1f} at the start. "
        f"{'' if options.quick else 'Bold: a goal that is missed.'}"
    )


class State:
    """Results so far. They are told after each row, so that a call that is interrupted has told what it knew."""

    def __init__(self, options):
        self.options = options
        # So little mail is held against no goal.
        self.found = {"about": about(options), "goals": not options.quick, "rows": [], "special": {}}
        if options.keep and os.path.exists(options.keep):
            with open(options.keep) as file:
                self.found = {**json.load(file), "about": self.found["about"], "goals": self.found["goals"]}

    def add_row(self, result):
        order = [row.name for row in rows.ROWS]
        same = lambda one: (one["row"], one["rtt"]) == (result["row"], result["rtt"])
        kept = [one for one in self.found["rows"] if not same(one)]
        self.found["rows"] = sorted([*kept, result], key=lambda one: (order.index(one["row"]), one["rtt"]))
        self.save()

    def add_special(self, name, result):
        self.found["special"][name] = result
        self.save()

    def markdown(self):
        return table.markdown(self.found, os.path.basename(self.picture() or "performance.svg"))

    def picture(self):
        return os.path.splitext(self.options.to)[0] + ".svg" if self.options.to else None

    def save(self):
        if self.options.keep:
            with open(self.options.keep, "w") as file:
                json.dump(self.found, file, indent=1)
        if self.options.to:
            table.put(self.options.to, self.markdown())
            if self.found["rows"]:
                with open(self.picture(), "w") as file:
                    file.write(picture.svg([table.Row(result) for result in self.found["rows"]]))

    def faults(self):
        """Where mailhaul was not exact: what makes the bench fail."""
        inexact = [
            f"{one['row']} at {one['rtt']} ms: {one['runs']['mailhaul']['what']}" for one in self.found["rows"] if not one["runs"]["mailhaul"]["exact"]
        ]
        inexact += [f"adopt: {one['what']}" for one in self.found["special"].get("adopt", []) if one["what"] != "exact"]
        return inexact + [f"growth: {one['what']}" for one in self.found["special"].get("growth", []) if one["what"] != "all there"]


def works(options):
    """What is to be measured: names, each with what measures it and what then keeps the result."""
    for row in rows.ROWS:
        for rtt in row.mail:
            if row.name in options.only and rtt in options.rtt:
                yield f"{row.name} at {rtt} ms", partial(measure.measure, row, rtt, options), State.add_row
    for name in special.NAMES:
        if name in options.only:
            yield name, partial(special.measure, name, options), partial(State.add_special, name=name)


def main():
    options = arguments()
    state, failed = State(options), []
    for name, work, keep in works(options):
        measure.say(name)
        try:
            keep(state, result=work())
        except (Exception, SystemExit):
            # The other rows have nothing to do with it.
            traceback.print_exc()
            failed.append(name)
    print(state.markdown())
    for name in failed:
        measure.say(f"could not be measured, see above: {name}")
    for fault in state.faults():
        measure.say(f"mailhaul was not exact: {fault}")
    sys.exit(1 if failed or state.faults() else 0)


if __name__ == "__main__":
    main()
