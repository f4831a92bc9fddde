//! The hypervisor's command line: words divided by spaces. What concerns domains stands in the
//! bundle's manifest, not here.

/// What the command line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// `focus=N`: the identity of the domain that console input goes to; 0 says that none will
    /// come, so that domains that all wait are ended.
    pub focus: u16,
}

impl Options {
    /// Reads a command line.
    ///
    /// # Errors
    /// The first word that is not an option.
    pub fn parse(line: &str) -> Result<Options, &str> {
        let mut options = Options { focus: 1 };
        for word in line.split_ascii_whitespace() {
            match word.strip_prefix("focus=").map(str::parse) {
                Some(Ok(domain)) => options.focus = domain,
                _ => return Err(word),
            }
        }
        Ok(options)
    }
}
