//! Every test of the suite, once for each page-table format: `x86_64::pt_pin::tree`. A test
//! that cannot be made on the model is shown as ignored, with the reason.

use conformance::{Outcome, TestCase, registry};
use conformance_host::{Cpu, Host};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pv_core::{Riscv64Sv39, Riscv64Sv48, X86_64};

fn run<P: Cpu>(case: &TestCase) -> Result<Completion, Failed> {
    let mut host = Host::<P>::new();
    match registry::run(case, &mut host) {
        Outcome::Success => Ok(Completion::Completed),
        Outcome::Skip(reason) => Ok(Completion::ignored_with(reason)),
        Outcome::Failure(message) => Err(format!("failure: {message}").into()),
        Outcome::Error(message) => Err(format!("error: {message}").into()),
    }
}

fn trials<P: Cpu>() -> impl Iterator<Item = Trial> {
    registry::all().map(|case| {
        let name = format!("{}::{}::{}", P::NAME, case.group, case.name);
        Trial::ignorable_test(name, move || run::<P>(case))
    })
}

fn main() {
    let arguments = Arguments::from_args();
    let tests =
        trials::<X86_64>().chain(trials::<Riscv64Sv39>()).chain(trials::<Riscv64Sv48>()).collect();
    libtest_mimic::run(&arguments, tests).exit();
}
