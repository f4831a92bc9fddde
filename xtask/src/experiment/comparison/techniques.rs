//! The techniques of memory virtualization that there are here: what each is for, what speaks for
//! it and against it, and which figures of the experiments are about it.

/// Techniques of one kind.
pub struct Kind {
    /// What they are about.
    pub title: &'static str,
    /// The techniques.
    pub techniques: &'static [Technique],
}

/// One technique.
pub struct Technique {
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// What speaks for it.
    pub pros: &'static [&'static str],
    /// What speaks against it.
    pub cons: &'static [&'static str],
    /// Where it is measured.
    pub sources: &'static [Source],
}

/// Where something is found that was measured.
pub enum Source {
    /// In a figure of an experiment: the one whose name begins so.
    Figure(&'static str, &'static str),
    /// In a cell of a table of an experiment.
    Cell(Cell),
}

/// A cell of a table.
pub struct Cell {
    pub experiment: &'static str,
    /// Which of its tables, from 0 on.
    pub table: usize,
    /// What stands in the first column of the row.
    pub row: &'static str,
    /// Which column, from 0 on.
    pub column: usize,
    /// What it says.
    pub what: &'static str,
    /// What others have, and who.
    pub reference: &'static str,
}

use Source::{Cell as At, Figure as In};

/// What is short under a policy when guests may have twice the memory that there is.
const fn short(row: &'static str, reference: &'static str) -> Source {
    let what = "need not met at 2x, %";
    At(Cell { experiment: "policies", table: 0, row, column: 4, what, reference })
}

/// How equal guests are under a policy in what part of their need they get.
const fn fairness(row: &'static str) -> Source {
    let (what, reference) = ("fairness at 2x (Jain)", "1 is equal");
    At(Cell { experiment: "policies", table: 0, row, column: 6, what, reference })
}

/// How far an estimate is out, of a guest that has all its memory, or half of it.
const fn error(row: &'static str, table: usize) -> Source {
    let what = match table {
        0 => "error, % of a guest that has what it needs",
        _ => "error, % of a guest that lacks memory",
    };
    At(Cell { experiment: "estimators", table, row, column: 1, what, reference: "the truth: 0" })
}

/// All of them.
pub const KINDS: [Kind; 4] = [
    Kind { title: "Who is to have how much", techniques: &POLICIES },
    Kind { title: "How memory is taken", techniques: &RECLAIM },
    Kind { title: "Pages that share a frame", techniques: &SHARING },
    Kind { title: "What a guest needs", techniques: &ESTIMATORS },
];

const POLICIES: [Technique; 6] = [
    Technique {
        name: "static",
        purpose: "A part of the machine for each guest, by its size, whatever it does.",
        pros: &["nothing moves, nothing has to be measured", "nobody gains by another's loss"],
        cons: &["what one does not use nobody uses"],
        sources: &[short("static", "16.06 (another model)"), fairness("static")],
    },
    Technique {
        name: "pure share",
        purpose: "Memory for what was paid: as an agreement on service has it.",
        pros: &["who pays twice has twice, to a page", "simple to promise and to check"],
        cons: &["idle memory is hoarded while another swaps"],
        sources: &[
            In("pure-share", "2:1 shares"),
            In("pure-share", "a hoarder's idle pages"),
            short("pure share", ""),
            fairness("pure share"),
        ],
    },
    Technique {
        name: "idle tax",
        purpose: "Shares count, and memory that is idle is taxed: most of it goes to who works.",
        pros: &[
            "overcommitted machines become usable",
            "nobody loses more than the rate of its idle memory",
        ],
        cons: &["activity has to be measured", "who wakes up has to wait for what it had"],
        sources: &[
            In("idle-tax", "idle / busy, tax 75 %"),
            In("tax-sweep", "best middle"),
            In("tax-sweep", "a threshold of 50 %, as the fraction"),
            In("tax-sweep", "a threshold of 50 %, as the chance"),
            short("tax 75 %", "5.96 (another model)"),
            fairness("tax 75 %"),
            In("idle-tax-booted", "throughput of the busy guest"),
        ],
    },
    Technique {
        name: "working set",
        purpose: "Memory for who uses it: shares divide what is scarce, or left over.",
        pros: &["least is short"],
        cons: &[
            "what was paid protects no idle page",
            "an estimate that is wrong is paid for at once",
        ],
        sources: &[short("working set", "1.90 (another model)"), fairness("working set")],
    },
    Technique {
        name: "max-min",
        purpose: "The smallest needs first, whatever was paid.",
        pros: &["small guests never starve"],
        cons: &["shares mean nothing"],
        sources: &[short("max-min", ""), fairness("max-min")],
    },
    Technique {
        name: "admission",
        purpose: "What is promised is there: a guest that does not fit is not started.",
        pros: &["minimums hold when all want all"],
        cons: &["with small promises more is short later"],
        sources: &[In("admission", "sum of maximums"), In("admission", "least that a guest has")],
    },
];

const RECLAIM: [Technique; 3] = [
    Technique {
        name: "balloon",
        purpose: "The guest gives what it can do without best: a driver in it is asked.",
        pros: &["free pages cost nothing", "the guest chooses, nothing is paged twice"],
        cons: &["needs a driver in the guest, and its good will", "takes the guest's time"],
        sources: &[
            In("forced", "fewer transfers by balloon"),
            In("forced", "transfers when the other half is free"),
            In("balloon-size", "cost of being ballooned"),
            In("oom-burst", "events until the guest has all"),
            In("freed-returns", "seconds until 95 %"),
            In("give-back", "calls to give 1 GiB"),
        ],
    },
    Technique {
        name: "by force: share, compress, swap",
        purpose: "What a guest does not give is taken: like pages share, others are compressed or \
                  swapped.",
        pros: &["works whatever the guest does", "nothing is lost"],
        cons: &["blind: takes what is free in the guest, and what is used", "double paging"],
        sources: &[
            In("forced", "fewer transfers by balloon"),
            In("forced", "transfers when the other half is free"),
            In("forced-booted", "pages moved to take half"),
            In("forced-booted", "instructions for the same work"),
            In("forced-booted", "instructions that the hypervisor keeps"),
        ],
    },
    Technique {
        name: "by force, kept nowhere",
        purpose: "The naive way, to be compared with.",
        pros: &["moves nothing"],
        cons: &["the guest finds other data than it left"],
        sources: &[In("forced", "accesses whose data are gone")],
    },
];

const SHARING: [Technique; 2] = [
    Technique {
        name: "by content",
        purpose: "Pages with equal content, found by hashes, have one frame until one is written.",
        pros: &["needs nothing of the guest's programs", "hashes need not be trusted"],
        cons: &["the scanner costs time, and comes late", "who writes waits for a copy"],
        sources: &[
            In("merge-trace", "bytes of a record"),
            In("merge-trace", "order of a merge"),
            In("merge-trace", "steps that it takes"),
            In("merge-trace", "free list"),
            In("merge-trace", "a hint that does not hold"),
            In("cow-storm", "processes killed"),
            In("cow-storm", "waits for a frame"),
        ],
    },
    Technique {
        name: "by hint",
        purpose: "A guest that knows what is in a page says so: pages named alike are compared at once.",
        pros: &[
            "no page has to be looked at or hashed for it",
            "found when it is read, not minutes later",
        ],
        cons: &["the guest has to be changed", "a lie costs a comparison"],
        sources: &[In("merge-trace", "looks at pages that guests have named alike")],
    },
];

const ESTIMATORS: [Technique; 3] = [
    Technique {
        name: "sampling",
        purpose: "A hundred pages at random: how many of them are used in a period.",
        pros: &["cheap, and needs nothing of the guest", "rises within a period"],
        cons: &["sees no need beyond what the guest has"],
        sources: &[
            error("sampling, greatest of three", 0),
            error("sampling, greatest of three", 1),
            In("estimators", "steady need of 50 MB"),
            In("estimators", "the greatest of three follows"),
        ],
    },
    Technique {
        name: "faults and refaults",
        purpose: "Pages that come back from the disk soon after they went: what was missing.",
        pros: &["the sign that memory lacks"],
        cons: &["says nothing while memory is enough"],
        sources: &[error("refaults", 0), error("refaults", 1)],
    },
    Technique {
        name: "miss-ratio curve",
        purpose: "How many uses would miss with each size of memory, by distances of reuse.",
        pros: &["sees within and beyond what the guest has"],
        cons: &["wants every use of the pages that it watches: traps, or hardware"],
        sources: &[
            error("miss-ratio curve, 1 page of 64", 0),
            error("miss-ratio curve, 1 page of 64", 1),
        ],
    },
];
