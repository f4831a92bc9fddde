//! Reports of guests that do not know our records: lines of the Test Anything Protocol, whole
//! lines in each write to the report stream. The book's page on porting says which are used.

use super::{Case, Verdict};

/// What one line says.
#[derive(PartialEq, Eq, Debug)]
pub enum Line {
    /// A test begins.
    Begins(String),
    /// It has ended.
    Ended(Case),
    /// No test comes any more; there were so many.
    Plan(usize),
    /// The guest cannot go on.
    BailOut(String),
    /// A remark, a version, nothing.
    Remark,
}

/// Reads a line. `None`: it is none of the protocol.
pub fn parse(line: &str) -> Option<Line> {
    let line = line.trim_end();
    if let Some(rest) = line.strip_prefix("# test ") {
        let name = rest.split_once(": ").map_or(rest, |(name, _clauses)| name);
        return Some(Line::Begins(name.to_owned()));
    }
    if line.is_empty() || line.starts_with('#') || line.starts_with("TAP version ") {
        return Some(Line::Remark);
    }
    if let Some(count) = line.strip_prefix("1..") {
        return count.parse().ok().map(Line::Plan);
    }
    if let Some(why) = line.strip_prefix("Bail out!") {
        return Some(Line::BailOut(why.trim().to_owned()));
    }
    if let Some(rest) = line.strip_prefix("not ok ") {
        let (name, why) = numbered(rest)?;
        let why = if why.is_empty() { "the guest does not say why" } else { why };
        return Some(Line::Ended(Case { name, verdict: Verdict::Failure(why.to_owned()) }));
    }
    let (name, remark) = numbered(line.strip_prefix("ok ")?)?;
    let verdict = match remark.strip_prefix("SKIP") {
        Some(why) => Verdict::Skip(why.trim().to_owned()),
        None => Verdict::Success,
    };
    Some(Line::Ended(Case { name, verdict }))
}

/// Name and remark of `7 - pt_pin::tree # SKIP no peer`.
fn numbered(text: &str) -> Option<(String, &str)> {
    let (number, rest) = text.split_once(" - ")?;
    number.parse::<usize>().ok()?;
    let (name, remark) = rest.split_once(" # ").unwrap_or((rest, ""));
    Some((name.trim().to_owned(), remark.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(name: &str, verdict: Verdict) -> Option<Line> {
        Some(Line::Ended(Case { name: name.into(), verdict }))
    }

    #[test]
    fn lines_of_the_protocol_are_read() {
        assert_eq!(
            parse("# test pt_pin::tree: PT_PIN.9 PT_PIN.11\n"),
            Some(Line::Begins("pt_pin::tree".into()))
        );
        assert_eq!(parse("ok 3 - pt_pin::tree\n"), ended("pt_pin::tree", Verdict::Success));
        assert_eq!(
            parse("ok 4 - grant_map::quota # SKIP there is no peer"),
            ended("grant_map::quota", Verdict::Skip("there is no peer".into()))
        );
        assert_eq!(
            parse("not ok 5 - a::b # tests/a.c:7: not so: x # y"),
            ended("a::b", Verdict::Failure("tests/a.c:7: not so: x # y".into()))
        );
        assert!(matches!(parse("not ok 5 - a::b"), Some(Line::Ended(_))));
        assert_eq!(parse("1..17"), Some(Line::Plan(17)));
        assert_eq!(parse("Bail out! no memory"), Some(Line::BailOut("no memory".into())));
        for remark in ["", "# anything", "TAP version 14"] {
            assert_eq!(parse(remark), Some(Line::Remark), "{remark}");
        }
    }

    #[test]
    fn what_is_no_line_of_it_is_refused() {
        for line in ["hello", "ok", "ok pt_pin::tree", "ok x - a::b", "1..many", "not ok"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
