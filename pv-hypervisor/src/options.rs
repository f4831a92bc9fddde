//! The hypervisor's command line: words divided by spaces. What concerns domains stands in the
//! bundle's manifest, not here.

use balloon::policy::{AllocationPolicy, IdleTax, MaxMin, PureShare, Static, TaxRate, WorkingSet};
use hypercall_abi::PAGE_SIZE;

/// What the command line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// `focus=N`: the identity of the domain that console input goes to; 0 says that none will
    /// come, so that domains that all wait are ended.
    pub focus: u16,
    /// `policy=NAME`: how memory is divided while guests run; none: nobody's target changes but by
    /// the operator's hand.
    pub policy: Option<Policy>,
    /// `round=MS`: milliseconds from one decision about memory to the next.
    pub round_ms: u64,
    /// `share=N`: pages a second that the scanner looks at of each domain; 0 for no sharing.
    pub share: u64,
    /// `reserve=N`: frames that are kept for pages that share a frame and are written.
    pub reserve: u64,
    /// `store=BYTES`: how much holds the compressed pages that are taken by force; 0: none are taken.
    pub store: u64,
    /// `swap=BYTES` or `swap=disk`: what holds those that do not compress.
    pub swap: SwapOption,
    /// `spare=BYTES`: how much of the memory that nobody owns may keep pages of guests.
    pub spare: u64,
}

impl Options {
    /// Pages of guests that may be kept in memory that nobody owns, on a machine of so many frames.
    pub fn spare_pages(&self, frames: u64) -> u64 {
        (self.spare / PAGE_SIZE).min(frames)
    }

    /// Whether pages may be without a frame of their own.
    pub fn moves_pages(&self) -> bool {
        self.share != 0 || self.store != 0
    }
}

/// Where pages go that do not compress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SwapOption {
    /// To so many bytes of the hypervisor's memory.
    Memory(u64),
    /// To the machine's block device.
    Disk,
}

impl SwapOption {
    /// Bytes of the hypervisor's memory.
    pub fn bytes(self) -> u64 {
        match self {
            SwapOption::Memory(bytes) => bytes,
            SwapOption::Disk => 0,
        }
    }
}

/// A policy, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// `static`.
    Static,
    /// `pure-share`.
    PureShare,
    /// `working-set`.
    WorkingSet,
    /// `idle-tax:PER-CENT`.
    IdleTax(TaxRate),
    /// `max-min`.
    MaxMin,
}

/// Per cent of what is idle that `idle-tax` takes, as ESX does.
const USUAL_TAX: u16 = 75;

impl Policy {
    fn parse(text: &str) -> Option<Policy> {
        let (name, tax) = match text.split_once(':') {
            Some((name, tax)) => (name, Some(tax.parse().ok().filter(|tax| *tax <= 100)?)),
            None => (text, None),
        };
        match (name, tax) {
            ("static", None) => Some(Policy::Static),
            ("pure-share", None) => Some(Policy::PureShare),
            ("working-set", None) => Some(Policy::WorkingSet),
            ("idle-tax", tax) => {
                Some(Policy::IdleTax(TaxRate::new(tax.unwrap_or(USUAL_TAX) * 100)?))
            }
            ("max-min", None) => Some(Policy::MaxMin),
            _ => None,
        }
    }

    /// Runs something with the policy itself.
    pub fn with<T>(self, run: impl FnOnce(&dyn AllocationPolicy) -> T) -> T {
        match self {
            Policy::Static => run(&Static),
            Policy::PureShare => run(&PureShare),
            Policy::WorkingSet => run(&WorkingSet),
            Policy::IdleTax(rate) => run(&IdleTax(rate)),
            Policy::MaxMin => run(&MaxMin),
        }
    }
}

impl Options {
    /// Reads a command line.
    ///
    /// # Errors
    /// The first word that is not an option.
    pub fn parse(line: &str) -> Result<Options, &str> {
        let mut options = Options {
            focus: 1,
            policy: None,
            round_ms: 1000,
            share: 0,
            reserve: 0,
            store: 0,
            swap: SwapOption::Memory(0),
            spare: 0,
        };
        for word in line.split_ascii_whitespace() {
            let (name, value) = word.split_once('=').ok_or(word)?;
            match name {
                "focus" => options.focus = value.parse().map_err(|_| word)?,
                "policy" => options.policy = Some(Policy::parse(value).ok_or(word)?),
                "round" => {
                    let round = value.parse().ok().filter(|round| (10..=600_000).contains(round));
                    options.round_ms = round.ok_or(word)?;
                }
                "share" => options.share = value.parse().map_err(|_| word)?,
                "reserve" => options.reserve = value.parse().map_err(|_| word)?,
                "store" => options.store = value.parse().map_err(|_| word)?,
                "spare" => options.spare = value.parse().map_err(|_| word)?,
                "swap" if value == "disk" => options.swap = SwapOption::Disk,
                "swap" => {
                    options.swap = SwapOption::Memory(value.parse().map_err(|_| word)?);
                }
                _ => return Err(word),
            }
        }
        Ok(options)
    }
}
