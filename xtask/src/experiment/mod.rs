//! `cargo xtask experiment`: experiments that print their figures beside those of the papers, and
//! draw a picture. One file each; [`ALL`] lists them.

mod admission;
mod balloon_size;
mod booted;
mod comparison;
mod cow_storm;
mod domains;
mod estimators;
mod fleet;
mod forced;
mod forced_booted;
mod freed_returns;
mod give_back;
mod give_back_kernel;
mod idle_tax;
mod idle_tax_booted;
mod isolation;
mod merge_trace;
mod oom_burst;
mod outcome;
pub mod picture;
mod pure_share;
mod scan_cost;
mod solver;
mod spare_cache;
mod tax_sweep;
mod virtio_balloon;

use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::{table, workspace};
use anyhow::{Context, Result, bail};
use booted::Booting;
use clap::Args;
use comparison::{Comparison, Extent};
use outcome::Outcome;
use std::path::PathBuf;

/// Run an experiment: its table beside the paper's figures, and a picture.
#[derive(Args)]
pub struct Experiment {
    /// Which one; `--list` names them.
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// Name the experiments.
    #[arg(long)]
    list: bool,
    /// Write the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Fail when a figure is not what it has to be.
    #[arg(long)]
    check: bool,
    /// Of the comparison: run those that boot machines, too. Takes many minutes.
    #[arg(long)]
    booted: bool,
    /// Of one that boots machines: their architecture, x86_64 if it is not given.
    #[arg(long)]
    arch: Option<Arch>,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
    /// Where to put the picture; `target/experiments/NAME.svg` or `NAME-ARCH.svg` if it is not given.
    #[arg(long)]
    picture: Option<PathBuf>,
}

/// An experiment.
struct Entry {
    name: &'static str,
    about: &'static str,
    way: Way,
}

/// How an experiment is made.
enum Way {
    /// By computing.
    OnTheHost(fn() -> Result<Outcome>),
    /// By booting machines.
    Booted(fn(Booting) -> Result<Outcome>),
}

impl Entry {
    fn run(&self, arch: Option<Arch>, may: MayInstall) -> Result<Outcome> {
        match (&self.way, arch) {
            (Way::OnTheHost(run), None) => run(),
            (Way::OnTheHost(_), Some(_)) => bail!("it boots no machine: leave --arch out"),
            (Way::Booted(run), arch) => run(Booting { arch: arch.unwrap_or_default(), may }),
        }
    }
}

/// Every experiment, in the order of the book.
const ALL: &[Entry] = &[
    Entry {
        name: "idle-tax",
        about: "two guests of 256 MB, one idle: ESX's experiment",
        way: Way::OnTheHost(idle_tax::run),
    },
    Entry {
        name: "pure-share",
        about: "memory by shares alone: 2:1 shares are 2:1 pages, and a hoarder keeps what it has",
        way: Way::OnTheHost(pure_share::run),
    },
    Entry {
        name: "tax-sweep",
        about: "rates from 0 to 100 %: what each guest has, and what a fleet lacks",
        way: Way::OnTheHost(tax_sweep::run),
    },
    Entry {
        name: "policies",
        about: "thousands of guests under each policy: shortage, fairness, memory moved",
        way: Way::OnTheHost(fleet::run),
    },
    Entry {
        name: "solver",
        about: "targets of 10,000 guests at once, beside bisection and a sort",
        way: Way::OnTheHost(solver::run),
    },
    Entry {
        name: "admission",
        about: "how many guests a machine takes, and whether it keeps what it promised",
        way: Way::OnTheHost(admission::run),
    },
    Entry {
        name: "estimators",
        about: "what a guest needs, estimated in different ways, beside the truth",
        way: Way::OnTheHost(estimators::run),
    },
    Entry {
        name: "merge-trace",
        about: "two equal pages become one: what the scanner remembers, and what happens in order",
        way: Way::OnTheHost(merge_trace::run),
    },
    Entry {
        name: "forced",
        about: "half of a guest's memory, taken by its balloon and by force: pages transferred",
        way: Way::OnTheHost(forced::run),
    },
    Entry {
        name: "virtio-balloon",
        about: "a guest with our balloon and one with virtio-balloon: both give, and get it back",
        way: Way::OnTheHost(virtio_balloon::run),
    },
    Entry {
        name: "forced-booted",
        about: "boots guests: memory taken by balloon and by force, for the same work",
        way: Way::Booted(forced_booted::run),
    },
    Entry {
        name: "idle-tax-booted",
        about: "boots guests: one idle, one that pages; its work without and with the tax",
        way: Way::Booted(idle_tax_booted::run),
    },
    Entry {
        name: "balloon-size",
        about: "boots guests: ballooned to a size against built for it",
        way: Way::Booted(balloon_size::run),
    },
    Entry {
        name: "oom-burst",
        about: "boots a guest: three quarters ballooned, and nearly all needed at once",
        way: Way::Booted(oom_burst::run),
    },
    Entry {
        name: "freed-returns",
        about: "boots a guest: how soon the machine has back what it frees",
        way: Way::Booted(freed_returns::run),
    },
    Entry {
        name: "give-back",
        about: "boots a guest: calls that it takes to give 1 GiB back",
        way: Way::Booted(give_back::run),
    },
    Entry {
        name: "give-back-kernel",
        about: "boots our kernel: its balloon takes 1 GiB and gives it back, in how many calls",
        way: Way::Booted(give_back_kernel::run),
    },
    Entry {
        name: "isolation",
        about: "boots guests: what a fork bomb and a memory toucher cost their neighbour",
        way: Way::Booted(isolation::run),
    },
    Entry {
        name: "cow-storm",
        about: "boots clones: all write what they share at once, and the machine has nothing left",
        way: Way::Booted(cow_storm::run),
    },
    Entry {
        name: "scan-cost",
        about: "boots a guest: what a scanner for equal pages takes of the machine and of its work",
        way: Way::Booted(scan_cost::run),
    },
    Entry {
        name: "spare-cache",
        about: "boots guests: pages that one keeps in spare memory, until another needs it",
        way: Way::Booted(spare_cache::run),
    },
    Entry {
        name: "domains-128",
        about: "boots up to 128 guests: what each one's work costs when there are many",
        way: Way::Booted(domains::run),
    },
];

impl Experiment {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let Some(name) = self.name.filter(|_| !self.list) else {
            let mut rows = table::new(&["experiment", ""]);
            for entry in ALL {
                rows.add_row([entry.name, entry.about]);
            }
            rows.add_row([comparison::NAME, comparison::ABOUT]);
            println!("{}", table::text(&rows));
            return Ok(());
        };
        let may = MayInstall(!self.no_install);
        if name == comparison::NAME {
            if self.picture.is_some() || self.arch.is_some() && !self.booted {
                bail!("the comparison is a page, and boots machines with --booted alone");
            }
            let extent = Extent { booted: self.booted, arch: self.arch, may };
            return compare(extent, self.json, self.check);
        }
        if self.booted {
            bail!("--booted is for the experiment `{}`", comparison::NAME);
        }
        let Some(entry) = ALL.iter().find(|entry| entry.name == name) else {
            let names: Vec<_> = ALL.iter().map(|entry| entry.name).collect();
            bail!("there is no experiment `{name}`; there are {}", names.join(", "));
        };
        let outcome =
            entry.run(self.arch, may).with_context(|| format!("the experiment {name}"))?;
        let path = match self.picture {
            Some(path) => path,
            None => {
                let of_arch = self.arch.map_or(String::new(), |arch| format!("-{arch}"));
                workspace::root().join(format!("target/experiments/{name}{of_arch}.svg"))
            }
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        std::fs::write(&path, picture::svg(&outcome.picture)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        if self.json {
            println!("{:#}", outcome.json(name.as_str()));
        } else {
            println!("{}", outcome.text());
            println!("picture: {}", path.display());
        }
        fail_if(self.check, outcome.missed().collect())
    }
}

/// Runs the comparison, and writes its page.
fn compare(extent: Extent, json: bool, check: bool) -> Result<()> {
    let comparison = Comparison::make(ALL, extent)?;
    let path = workspace::target_folder("experiments")?.join(format!("{}.html", comparison::NAME));
    std::fs::write(&path, comparison.html()?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    if json {
        println!("{:#}", comparison.json());
    } else {
        println!("{}page: {}", comparison.text(), path.display());
    }
    fail_if(check, comparison.missed())
}

/// Fails for figures that are not what they have to be, if that was asked for.
fn fail_if(check: bool, missed: Vec<String>) -> Result<()> {
    if check && !missed.is_empty() {
        bail!("not what it has to be: {}", missed.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str) -> Outcome {
        let entry = ALL.iter().find(|entry| entry.name == name).expect("it is listed");
        entry.run(None, MayInstall(false)).expect("it runs")
    }

    #[test]
    fn figures_that_do_not_depend_on_time_hold() {
        for name in ["idle-tax", "pure-share", "admission", "estimators", "forced"] {
            let outcome = outcome(name);
            assert_eq!(outcome.missed().collect::<Vec<_>>(), Vec::<String>::new(), "{name}");
            assert!(outcome.figures.iter().any(|figure| figure.holds.is_some()), "{name}");
            let drawn = picture::svg(&outcome.picture).expect("drawn");
            assert!(drawn.starts_with("<svg") && drawn.contains("</svg>"), "{name}");
        }
    }

    #[test]
    fn one_that_boots_nothing_has_no_architecture() {
        let entry = ALL.iter().find(|entry| entry.name == "idle-tax").expect("it is listed");
        let refused = entry.run(Some(Arch::Riscv64), MayInstall(false)).err().expect("refused");
        assert!(refused.to_string().contains("leave --arch out"), "{refused}");
    }

    #[test]
    fn text_and_json_have_the_same_rows() {
        let outcome = outcome("idle-tax");
        let rows = outcome.tables[0].rows.len();
        let json = outcome.json("idle-tax");
        assert_eq!(json["tables"][0]["rows"].as_array().map(Vec::len), Some(rows));
        for row in &outcome.tables[0].rows {
            assert!(outcome.text().contains(&row[0].to_string()), "{}", row[0]);
        }
    }
}
