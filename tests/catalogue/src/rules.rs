//! The rules of the design, from `spec/src/rules.md`. A rule is a clause of the book that
//! begins with its tag and ends with the tests that show it:
//!
//! ```text
//! - **RULE.5** **No superpages.** An entry above level 1 names a table.
//!   *Shown by:* `frames::superpages`, `pv-hypervisor/core/src/format/x86_64.rs::a_large_page`.
//! ```

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Where the rules are, from the folder of the workspace.
pub const FILE: &str = "spec/src/rules.md";

const SHOWN_BY: &str = "*Shown by:*";

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its tag, such as `RULE.5`.
    pub tag: String,
    /// Its first words, which stand for it elsewhere.
    pub title: String,
    /// The tests that show it.
    pub tests: Vec<String>,
}

/// Reads the rules.
///
/// # Errors
/// When the page is not there or a rule is not complete.
pub fn read(root: &Path) -> Result<Vec<Rule>> {
    let path = root.join(FILE);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Rule>> {
    let mut rules: Vec<Rule> = Vec::new();
    for item in items(text) {
        let Some((tag, rest)) = item.strip_prefix("- **").and_then(|text| text.split_once("**"))
        else {
            continue;
        };
        if !tag.starts_with("RULE.") {
            continue;
        }
        let told = |what| format!("{FILE}: {tag} {what}");
        ensure!(rules.iter().all(|rule| rule.tag != tag), told("is there twice"));
        let title = rest.trim_start().strip_prefix("**").and_then(|text| text.split_once("**"));
        let (title, rest) = title.with_context(|| told("does not begin with a title"))?;
        let Some((_, shown)) = rest.split_once(SHOWN_BY) else {
            bail!(told("does not say which tests show it"));
        };
        // Every second piece between grave accents is a name.
        let tests: Vec<String> =
            shown.split('`').skip(1).step_by(2).map(|name| name.replace(' ', "")).collect();
        ensure!(!tests.is_empty(), told("names no test"));
        let title = title.trim_end_matches('.').to_owned();
        rules.push(Rule { tag: tag.to_owned(), title, tests });
    }
    Ok(rules)
}

/// Items of the page's lists, each as one line.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("- ") {
            items.push(line.to_owned());
            inside = true;
        } else if inside && line.starts_with("  ") {
            if let Some(item) = items.last_mut() {
                item.push(' ');
                item.push_str(line.trim_start());
            }
        } else {
            inside = false;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Rules\n\n- **RULE.1** **One\n  thing.** It is so.\n  *Shown by:* `a::b`,\n  `c/d.rs::e`.\n- else\n\ntext `x`\n- **RULE.2** **Two.** y *Shown by:* `a::c`.\n";

    #[test]
    fn a_rule_has_a_title_and_tests() {
        let rules = parse(PAGE).unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!((rules[0].tag.as_str(), rules[0].title.as_str()), ("RULE.1", "One thing"));
        assert_eq!(rules[0].tests, ["a::b", "c/d.rs::e"]);
        assert_eq!(rules[1].tests, ["a::c"]);
    }

    #[test]
    fn a_rule_that_nothing_shows_is_refused() {
        for (page, what) in [
            (PAGE.replace("*Shown by:* `a::c`", ""), "RULE.2 does not say"),
            (PAGE.replace("`a::c`", "nothing"), "RULE.2 names no test"),
            (PAGE.replace("**Two.**", "Two."), "RULE.2 does not begin"),
            (PAGE.replace("RULE.2", "RULE.1"), "RULE.1 is there twice"),
        ] {
            let error = parse(&page).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
