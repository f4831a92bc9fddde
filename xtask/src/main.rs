//! `cargo xtask`: everything on the host's side of Paravane. One file a command; what
//! commands share stands beside them. `cargo xtask help` lists the commands.

#![forbid(unsafe_code)]

mod arch;
mod bench;
mod build;
mod busybox;
mod c_guest;
mod census;
mod check;
mod conformance;
mod debian;
mod demo;
mod doctor;
mod domains;
mod equivalence;
mod experiment;
mod fuzz;
mod guest_option;
mod hostile;
mod images;
mod lint;
mod logs;
mod machine;
mod manifest_file;
mod modules;
mod names;
mod native;
mod new;
mod packages;
mod porting_cost;
mod process;
mod programs;
mod progress;
mod qemu;
mod reported;
mod rootfs;
mod run;
mod screen;
mod script;
mod size;
mod spec;
mod strip;
mod summary;
mod table;
mod test;
mod toolchain;
mod windows;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Build, boot, watch, test and check Paravane.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, for the time of the process")]
enum Command {
    Run(run::Run),
    Build(build::Build),
    Test(test::Test),
    Conformance(conformance::Conformance),
    Equivalence(equivalence::Equivalence),
    Check(check::Check),
    Bench(bench::Bench),
    Experiment(experiment::Experiment),
    Fuzz(fuzz::Fuzz),
    Hostile(hostile::Hostile),
    Lint(lint::Lint),
    Spec(spec::Spec),
    Busybox(busybox::Busybox),
    Rootfs(rootfs::Rootfs),
    Doctor(doctor::Doctor),
    New(new::New),
    PortingCost(porting_cost::PortingCost),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(command) => command.run(),
        Command::Build(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Conformance(command) => command.run(),
        Command::Equivalence(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Experiment(command) => command.run(),
        Command::Fuzz(command) => command.run(),
        Command::Hostile(command) => command.run(),
        Command::Lint(command) => command.run(),
        Command::Spec(command) => command.run(),
        Command::Busybox(command) => command.run(),
        Command::Rootfs(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::New(command) => command.run(),
        Command::PortingCost(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let style = console::Style::new().for_stderr().red().bold();
            eprintln!("{} {error:#}", style.apply_to("error:"));
            // A script's status is ours.
            error
                .downcast_ref()
                .map_or(ExitCode::FAILURE, |script::BadStatus { status, .. }| {
                    ExitCode::from(*status)
                })
        }
    }
}
