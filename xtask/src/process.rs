//! Other programs: run to their end, with an error that shows the command.

use anyhow::{Context, Result, bail};
use std::process::Command;

/// The command as one would type it.
pub fn show(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        line.push(' ');
        if argument.is_empty() || argument.contains(|c: char| " \t\"'$\\;&|<>()*?".contains(c)) {
            line.push('\'');
            line.push_str(&argument.replace('\'', r"'\''"));
            line.push('\'');
        } else {
            line.push_str(&argument);
        }
    }
    line
}

/// Runs the command, its output where ours goes.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run `{}`", show(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", show(command));
    }
    Ok(())
}

/// Runs the command and returns what it writes to its output.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run `{}`", show(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed: {}\n{}",
            show(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` did not write UTF-8", show(command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_a_shell_takes_them() {
        let mut command = Command::new("qemu");
        command.args(["-append", "log=info peer", "it's", "plain", ""]);
        assert_eq!(
            show(&command),
            r"qemu -append 'log=info peer' it\'s plain ''".replace(r"it\'s", r"'it'\''s'")
        );
    }

    #[test]
    fn failures_show_the_command() {
        let error = run(Command::new("false").arg("x")).expect_err("fails");
        assert!(error.to_string().starts_with("`false x` failed"));
        let error = read(&mut Command::new("/nowhere/at all")).expect_err("fails");
        assert!(error.to_string().starts_with("cannot run `/nowhere/at all`"));
    }
}
