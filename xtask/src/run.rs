//! `cargo xtask run`: boots a hypervisor with its guests and watches them to the end.

use crate::arch::Arch;
use crate::census::Counted;
use crate::demo;
use crate::domains::{DEBUG_MEMORY, Plan, Planned, Prepared, Request, Source};
use crate::guest_option::GuestOption;
use crate::images::{Builder, HYPERVISOR};
use crate::logs::{Level, Logs};
use crate::machine::{self, Ending, Event, Input, Wants};
use crate::modules::Module;
use crate::packages::MayInstall;
use crate::screen::{Look, Screen};
use crate::script::{ScriptOption, Scripts};
use crate::windows::{self, Line};
use crate::{manifest_file, native, process, qemu, rootfs, size, summary, workspace};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use hypercall_abi::PAGE_SIZE;
use pv_wire::{DomainReport, Item, RunReport};
use std::io::IsTerminal;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// Boot the hypervisor with its guests: two of our guest kernel, unless told otherwise.
#[derive(Args)]
pub struct Run {
    /// Architecture of the machine.
    #[arg(long, default_value = "x86_64")]
    arch: Arch,
    /// A guest of your own, repeatable: an ELF file or a crate's folder, then options:
    /// PATH[,memory=64M][,max=128M][,min=16M][,limit=32M][,shares=N][,contiguous=1][,name=NAME][,watchdog=MS][,module=FILE][,cmdline=TEXT TO THE END];
    /// module=rootfs is the first file system that `cargo xtask rootfs` builds.
    #[arg(long = "guest", value_name = "PATH[,KEY=VALUE...]", conflicts_with = "manifest")]
    guest: Vec<GuestOption>,
    /// Domains described in a TOML file.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Domains of our guest kernel (2, or none beside --guest or --manifest).
    #[arg(long, value_name = "N", conflicts_with = "manifest")]
    guests: Option<usize>,
    #[command(flatten)]
    native: native::Options,
    /// Four guests with ten processes each, and their page tables, counted by the hypervisor.
    #[arg(long, conflicts_with_all = [
        "native", "guest", "manifest", "guests", "memory", "debug", "gdb", "focus", "trace", "plain", "keep",
    ])]
    census: bool,
    /// Memory of the machine (512M; 128M with --debug, whose audit walks all of it).
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    memory: Option<u64>,
    /// Debug images: assertions, and the audit after what guests do.
    #[arg(long)]
    debug: bool,
    /// With --debug: run the audit after every N-th entry from a guest, 0: never (1).
    #[arg(long, value_name = "N", requires = "debug")]
    audit: Option<u32>,
    /// Wait at the first instruction for a debugger, and print the line that attaches it.
    #[arg(long)]
    gdb: bool,
    /// Identity of the domain that what is typed goes to (1; none without a terminal).
    #[arg(long, value_name = "DOMAIN", value_parser = clap::value_parser!(u16).range(1..=128))]
    focus: Option<u16>,
    /// Divide memory while guests run: static, pure-share, working-set, max-min or
    /// idle-tax[,tax=PER CENT]. Guests need a max above their memory to grow.
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    policy: Option<String>,
    /// Milliseconds of the machine's time from one decision about memory to the next (1000).
    #[arg(long, value_name = "MS", requires = "policy", value_parser = clap::value_parser!(u64).range(10..=600_000))]
    round: Option<u64>,
    /// A demonstration: `overcommit`, guests whose maxima exceed the machine; `sharing`, clones
    /// whose pages share frames. --share says how fast the former looks for pages that are alike; with --store
    /// there is one guest more, from which memory is taken by force as it gives none.
    #[arg(long, value_name = "NAME", conflicts_with_all = [
        "native", "guest", "manifest", "guests", "memory", "debug", "gdb", "focus", "trace", "plain", "keep", "census",
    ])]
    demo: Option<demo::Demo>,
    /// Let guests of one group (group=N of --guest) share the frames of pages that are alike: so many
    /// pages a second are looked at of each guest.
    #[arg(long, value_name = "PAGES")]
    share: Option<NonZero<u64>>,
    /// With --share: keep so many frames free for pages that share one and are written. With fewer,
    /// nothing more is merged and no balloon gets a frame (0).
    #[arg(long, value_name = "FRAMES", requires = "share")]
    reserve: Option<u64>,
    /// With --share: hash the pages of this group with a key, repeatable. Its guests may look for
    /// pages that differ and hash alike.
    #[arg(long, value_name = "GROUP", requires = "share")]
    keyed_group: Vec<u8>,
    /// Let memory be taken by force: from guests beyond their limit (limit=SIZE of --guest), and with
    /// --policy from those that do not give what they are asked for. So much of the hypervisor's
    /// memory holds what is compressed.
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    store: Option<u64>,
    /// With --store: memory for the pages that do not compress.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, requires = "store")]
    swap: Option<u64>,
    /// With --store: a virtio block device for the pages that do not compress, in a temporary file.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, requires = "store", conflicts_with = "swap")]
    swap_disk: Option<u64>,
    /// Let guests keep pages in memory that nobody owns, so much of it at most, for as long as
    /// nobody needs it.
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    spare: Option<u64>,
    /// Show every hypercall.
    #[arg(long)]
    trace: bool,
    /// Show logs up to this level.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: Level,
    /// Show the text of the consoles alone, as it comes.
    #[arg(long)]
    plain: bool,
    /// Write the run's report as JSON to the output, everything else to the error output.
    #[arg(long)]
    json: bool,
    /// A window for each guest, to see it and to type to it; `auto`: on a terminal, when a guest
    /// has programs.
    #[arg(long, value_name = "WHEN", default_value = "auto", num_args = 0..=1,
        default_missing_value = "always")]
    windows: When,
    /// Our guest kernels without programs, even on a terminal.
    #[arg(long)]
    no_programs: bool,
    /// Run this shell script in a guest with programs, print what it prints, and end with its
    /// status; of domain 1 unless it is said. Repeatable.
    #[arg(long, value_name = "[DOMAIN:]FILE", conflicts_with_all = ["gdb", "plain"])]
    script: Vec<ScriptOption>,
    /// Keep the bundle, and print the command line that boots it.
    #[arg(long)]
    keep: bool,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
    /// Seconds of real time after which the run is ended as failed; 0: never.
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    timeout: u64,
}

/// A policy as the hypervisor's command line has it.
fn policy(text: &str) -> Result<String> {
    let (name, tax) = match text.split_once(",tax=") {
        Some((name, tax)) => {
            let tax: u64 = tax.parse().ok().filter(|tax| *tax <= 100).with_context(|| {
                format!("tax={tax}: write per cent, 0 to 100, such as idle-tax,tax=75")
            })?;
            (name, Some(tax))
        }
        None => (text, None),
    };
    match (name, tax) {
        ("static" | "pure-share" | "working-set" | "max-min" | "idle-tax", None) => {
            Ok(name.to_owned())
        }
        ("idle-tax", Some(tax)) => Ok(format!("idle-tax:{tax}")),
        _ => bail!(
            "`{text}` is no policy: there are static, pure-share, working-set, max-min and idle-tax[,tax=75]"
        ),
    }
}

/// When something is done that has a usual condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

impl Run {
    /// Whether somebody sits before a terminal that is for the guests alone.
    fn is_watched(&self) -> bool {
        let elsewhere = self.plain || self.json || self.gdb || !self.script.is_empty();
        let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        self.windows == When::Always || self.windows == When::Auto && on_terminal && !elsewhere
    }

    /// Runs the command.
    pub fn run(self) -> Result<()> {
        if self.native.native {
            return self.native();
        }
        if self.census {
            return self.census();
        }
        if let Some(demo) = self.demo {
            return demo.run(&demo::Setting {
                arch: self.arch,
                may: MayInstall(!self.no_install),
                policy: self.policy.as_deref(),
                share: self.share,
                store: self.store,
                swap_disk: self.swap_disk,
                keyed_groups: &self.keyed_group,
                limit: (self.timeout != 0).then(|| Duration::from_secs(self.timeout)),
                json: self.json,
            });
        }
        if self.windows == When::Always && (self.plain || self.json || self.gdb) {
            bail!("--windows takes the terminal: it goes without --plain, --json and --gdb");
        }
        let scripts = Scripts::read(&self.script)?;
        let mut plan = self.plan(&scripts)?;
        let has_programs = plan.domains.iter().any(|domain| domain.module.is_some());
        let in_windows = self.windows == When::Always || self.is_watched() && has_programs;
        for domain in plan.domains.iter_mut().filter(|_| in_windows) {
            if domain.module.is_some() {
                domain.command_line = format!("{} {}", domain.command_line, windows::guest_words());
            }
        }
        plan.options.log = self.log.option();
        plan.options.trace = self.trace;
        plan.hash_with_key(&self.keyed_group).context("--keyed-group")?;
        plan.options.audit_period = self.audit.unwrap_or(plan.options.audit_period);
        let may = MayInstall(!self.no_install);
        plan.build_modules(self.arch, may)?;
        scripts.add_to(&mut plan)?;
        let kept = workspace::target_folder(&format!("run/{}", self.arch))?;
        let run = Prepare { arch: self.arch, debug: self.debug, may, plan: &plan }.prepare()?;
        let socket = self.gdb.then(|| run.folder.path().join("gdb"));
        // Without a terminal nobody types: domains that all wait for one another are ended.
        let typed = std::io::stdin().is_terminal();
        let focus = self.focus.unwrap_or(u16::from(typed));
        let mut words = format!("focus={focus}");
        if let Some(policy) = &self.policy {
            let round = self.round.unwrap_or(1000);
            words += &format!(" policy={policy} round={round}");
        }
        if plan.is_forced() && self.store.is_none() {
            bail!(
                "a guest has a limit, and nothing to take memory by force with: add --store 16M, or leave the limit out"
            );
        }
        if let Some(store) = self.store {
            words += &match self.swap_disk {
                Some(_) => format!(" store={store} swap=disk"),
                None => format!(" store={store} swap={}", self.swap.unwrap_or(0)),
            };
        }
        let disk = self.swap_disk.map(|bytes| run.disk(bytes)).transpose()?;
        if let Some(share) = self.share {
            words += &format!(" share={share} reserve={}", self.reserve.unwrap_or(0));
        }
        if let Some(spare) = self.spare {
            words += &format!(" spare={spare}");
        }
        let mut boot = qemu::Boot {
            command_line: &words,
            disk: disk.as_deref(),
            debugger: socket.as_deref(),
            is_watched: in_windows,
            ..run.boot(&plan)
        };
        let bundle = kept.join("bundle.pvb");
        if self.keep {
            std::fs::copy(&run.bundle, &bundle)
                .with_context(|| format!("cannot write {}", bundle.display()))?;
            boot.bundle = Some(&bundle);
        }
        let mut command = qemu::command(&run.qemu, self.arch, &boot);
        if self.keep {
            eprintln!("{}", process::show(&command));
        }
        if let Some(socket) = &socket {
            eprintln!(
                "waiting for the debugger; in another terminal:\n  gdb {} -ex 'target remote {}'",
                run.hypervisor.display(),
                socket.display()
            );
        }
        let on_error_output = self.json || !scripts.is_empty();
        let look = Look { level: self.log, plain: self.plain, on_error_output };
        let names: Vec<String> = plan.domains.iter().map(|domain| domain.name.clone()).collect();
        let logs = Logs::new(&run.hypervisor, &run.prepared.files);
        let limit = (self.timeout != 0 && !self.gdb).then(|| Duration::from_secs(self.timeout));
        let mut firmware = String::new();
        let mut listening = scripts.listen();
        let (report, ending) = if in_windows {
            let screen = |out, look| Screen::to(out, true, look, &names, logs);
            windows::session(&mut command, Line::Framed, &names, look, screen)?
        } else {
            let mut screen = Screen::new(look, &names, logs);
            command.stdin(if typed { Stdio::inherit() } else { Stdio::null() });
            let show = |item: &Item| {
                if !listening.take(item) {
                    screen.show(item);
                }
            };
            let watched = watch(&mut command, limit, show, |_| false)?;
            screen.finish();
            firmware = screen.firmware();
            watched
        };
        let verdict = summary::verdict(&report, plan.domains.len(), ending);
        let ended = listening.finish(&names);
        if self.json {
            let mut json = summary::json(&report, self.arch.name(), &verdict);
            json["scripts"] = ended.json();
            println!("{json:#}");
        } else if !scripts.is_empty() {
            ended.show()?;
        } else if !self.plain && ending != Ending::Left {
            print!("\n{}", summary::tables(&report));
        }
        if let Some(status) = ended.bad_status() {
            return Err(status.into());
        }
        if let Err(reason) = verdict {
            if report.domains.is_empty() && !firmware.is_empty() {
                eprintln!("the last text outside messages was:\n{firmware}");
            }
            bail!(
                "{}",
                [Some(reason), ended.unfinished()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("; ")
            );
        }
        Ok(())
    }

    /// The kernel without a hypervisor.
    fn native(mut self) -> Result<()> {
        let may = MayInstall(!self.no_install);
        let scripts = Scripts::read(&self.script)?;
        if self.json && scripts.is_empty() {
            bail!("--native has no report: --json is for what a --script prints");
        }
        let is_watched = self.is_watched();
        if is_watched && !self.no_programs && self.native.module.is_none() {
            self.native.module = Some(rootfs::archive(self.arch, may)?);
            self.native.cmdline = format!("{} {}", self.native.cmdline, windows::guest_words());
        }
        let native = native::Native {
            arch: self.arch,
            debug: self.debug,
            may,
            memory: self.memory,
            options: &self.native,
            limit: (self.timeout != 0).then(|| Duration::from_secs(self.timeout)),
        };
        if let Some(script) = scripts.only()? {
            return native.run_script(script, self.json);
        }
        if is_watched { native.run_in_a_window() } else { native.run_here() }
    }

    /// The page tables of a machine full of processes.
    fn census(&self) -> Result<()> {
        let limit = (self.timeout != 0).then(|| Duration::from_secs(self.timeout));
        let may = MayInstall(!self.no_install);
        let census = Counted { arch: self.arch, may, limit }.run()?;
        if self.json {
            println!("{:#}", census.json());
        } else {
            print!("{}", census.text());
        }
        census.check()
    }

    /// The domains that are asked for.
    fn plan(&self, scripts: &Scripts) -> Result<Plan> {
        let memory = self.memory.or(self.debug.then_some(DEBUG_MEMORY));
        if let Some(file) = &self.manifest {
            return manifest_file::read(file, memory);
        }
        let usual = if scripts.is_empty() { 2 } else { scripts.domains() };
        let built_in = self.guests.unwrap_or(if self.guest.is_empty() { usual } else { 0 });
        let mut requests: Vec<Request> = self.guest.iter().cloned().map(Request::from).collect();
        let mut own = Request::of(Source::BuiltIn);
        own.module = (self.is_watched() && !self.no_programs).then_some(Module::RootFileSystem);
        requests.splice(0..0, vec![own; built_in]);
        scripts.prepare_requests(&mut requests);
        if requests.is_empty() {
            bail!("no guest: ask for at least one with --guests N or --guest PATH");
        }
        Planned::from_requests(requests, memory)
    }
}

/// Everything that a machine needs before it boots.
pub struct Prepare<'a> {
    /// Its architecture.
    pub arch: Arch,
    /// Whether images are debug images.
    pub debug: bool,
    /// Whether missing things may be installed.
    pub may: MayInstall,
    /// Its domains.
    pub plan: &'a Plan,
}

/// A machine ready to boot.
pub struct Ready {
    /// The folder of its files, which goes with this value.
    pub folder: tempfile::TempDir,
    /// The bundle's file.
    pub bundle: PathBuf,
    /// The hypervisor's ELF file.
    pub hypervisor: PathBuf,
    /// QEMU.
    pub qemu: PathBuf,
    /// What is in the bundle.
    pub prepared: Prepared,
}

impl Prepare<'_> {
    /// Finds the tools, builds and checks the images, writes the bundle.
    pub fn prepare(&self) -> Result<Ready> {
        self.plan.check_files(self.arch.elf())?;
        let qemu = qemu::find(self.arch, self.may)?;
        let builder = Builder::new(self.arch, self.debug, self.may)?;
        let prepared = self.plan.prepare(&builder, self.arch.elf())?;
        let hypervisor = builder.package(HYPERVISOR)?;
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let bundle = folder.path().join("bundle.pvb");
        std::fs::write(&bundle, &prepared.bundle)
            .with_context(|| format!("cannot write {}", bundle.display()))?;
        Ok(Ready { folder, bundle, hypervisor, qemu, prepared })
    }
}

impl Ready {
    /// What QEMU boots.
    pub fn boot<'a>(&'a self, plan: &Plan) -> qemu::Boot<'a> {
        qemu::Boot {
            hypervisor: &self.hypervisor,
            bundle: Some(&self.bundle),
            command_line: "",
            memory: plan.memory,
            disk: None,
            debugger: None,
            is_watched: false,
        }
    }

    /// A disk of so many bytes, for pages: a file that takes no room before it is written.
    pub fn disk(&self, bytes: u64) -> Result<PathBuf> {
        ensure!(
            bytes != 0 && bytes.is_multiple_of(PAGE_SIZE),
            "a disk of {bytes} bytes: pages go there, so ask for a multiple of {PAGE_SIZE}"
        );
        let path = self.folder.path().join("swap.img");
        let made = std::fs::File::create(&path).and_then(|file| file.set_len(bytes));
        made.with_context(|| format!("cannot make a disk of {bytes} bytes, {}", path.display()))?;
        Ok(path)
    }
}

/// Boots a machine, shows what it says and collects its report, until it ends or `enough`
/// says of the domains that have ended that nothing more is to be expected.
pub fn watch(
    command: &mut std::process::Command,
    limit: Option<Duration>,
    mut show: impl FnMut(&Item),
    enough: impl Fn(&[DomainReport]) -> bool,
) -> Result<(RunReport, Ending)> {
    let mut report = RunReport::default();
    let ending = machine::boot(command, limit, Input::None, |event| {
        let Event::Said(item) = event else { return Wants::More };
        show(&item);
        let over = summary::collect(&mut report, &item) || enough(&report.domains);
        if over { Wants::NoMore } else { Wants::More }
    })?;
    Ok((report, ending))
}
