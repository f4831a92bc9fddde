//! Lines of code: those that hold at least a part of a token of what is compiled for a guest. What
//! is blank, a comment, documentation or a test has none.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use std::collections::BTreeSet;

/// What a file says.
#[derive(Default)]
pub struct Scanned {
    /// Its lines of code.
    pub lines: BTreeSet<usize>,
    /// Modules that lie in files of their own.
    pub modules: Vec<String>,
    /// Assembly files that it includes.
    pub assembly: Vec<String>,
    /// Its tokens, without tests and documentation.
    pub tokens: Vec<TokenTree>,
}

/// Words of a condition by which something is compiled for tests alone.
const TESTS: [&str; 3] = ["test", "model", "machine-test"];

/// Reads a Rust file.
pub fn scan(text: &str) -> Result<Scanned> {
    let stream: TokenStream = text.parse().map_err(|error| anyhow!("it is no Rust: {error}"))?;
    let mut scanned = Scanned::default();
    scanned.tokens = scanned.group(stream);
    Ok(scanned)
}

/// Lines of an assembly file that are neither blank nor a comment.
pub fn assembly(text: &str) -> usize {
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && !line.starts_with("//")
    };
    text.lines().filter(is_code).count()
}

impl Scanned {
    /// Takes in what stands between two delimiters, and returns what of it is code.
    fn group(&mut self, stream: TokenStream) -> Vec<TokenTree> {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut kept = Vec::new();
        let mut index = 0;
        while index < tokens.len() {
            let Some((attribute, length)) = attribute(&tokens[index..]) else {
                self.token(&tokens, index, &mut kept);
                index += 1;
                continue;
            };
            let name = first_word(attribute);
            if name.as_deref() == Some("cfg") && mentions_tests(attribute.stream()) {
                index += length;
                index += item(&tokens[index..]);
                continue;
            }
            if name.as_deref() != Some("doc") {
                for token in &tokens[index..index + length] {
                    self.span(token.span());
                }
            }
            index += length;
        }
        kept
    }

    fn token(&mut self, tokens: &[TokenTree], index: usize, kept: &mut Vec<TokenTree>) {
        match &tokens[index] {
            TokenTree::Group(group) => {
                self.span(group.span_open());
                self.span(group.span_close());
                let inside = self.group(group.stream());
                kept.push(TokenTree::Group(Group::new(
                    group.delimiter(),
                    inside.into_iter().collect(),
                )));
            }
            other => {
                self.span(other.span());
                kept.push(other.clone());
                self.note(tokens, index);
            }
        }
    }

    /// Notes a module or an assembly file that is named here.
    fn note(&mut self, tokens: &[TokenTree], index: usize) {
        let word = |at: usize| match tokens.get(at) {
            Some(TokenTree::Ident(word)) => Some(word.to_string()),
            _ => None,
        };
        let is_end = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(end)) if end.as_char() == ';');
        if word(index).as_deref() == Some("mod") && is_end(index + 2) {
            self.modules.extend(word(index + 1));
        }
        if let TokenTree::Literal(text) = &tokens[index] {
            let text = text.to_string();
            if let Some(file) = text.strip_prefix('"').and_then(|text| text.strip_suffix(".s\"")) {
                self.assembly.push(format!("{file}.s"));
            }
        }
    }

    fn span(&mut self, span: Span) {
        self.lines.extend(span.start().line..=span.end().line);
    }
}

/// An attribute at the start of tokens, and how many tokens it is.
fn attribute(tokens: &[TokenTree]) -> Option<(&Group, usize)> {
    let is = |at: usize, wanted: char| matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == wanted);
    let at = if is(0, '#') && is(1, '!') { 2 } else { usize::from(is(0, '#')) };
    match tokens.get(at) {
        Some(TokenTree::Group(group)) if at > 0 && group.delimiter() == Delimiter::Bracket => {
            Some((group, at + 1))
        }
        _ => None,
    }
}

fn first_word(group: &Group) -> Option<String> {
    match group.stream().into_iter().next() {
        Some(TokenTree::Ident(word)) => Some(word.to_string()),
        _ => None,
    }
}

/// Whether a condition holds in tests, and not without: what it denies does not count.
fn mentions_tests(stream: TokenStream) -> bool {
    let mut denied = false;
    for token in stream {
        match token {
            TokenTree::Ident(word) if word == "not" => denied = true,
            TokenTree::Group(_) if denied => denied = false,
            TokenTree::Group(group) if mentions_tests(group.stream()) => return true,
            TokenTree::Ident(word) if TESTS.contains(&word.to_string().as_str()) => return true,
            TokenTree::Literal(text) if TESTS.contains(&text.to_string().trim_matches('"')) => {
                return true;
            }
            _ => {}
        }
    }
    false
}

/// How many tokens the item at the start has: to its `;`, or the end of its braces.
fn item(tokens: &[TokenTree]) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(end) => end.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    tokens.iter().position(is_end).map_or(tokens.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_counts() {
        let text = "//! What it is for.\n\n#![no_std] // 3\n/* no */\nmod a;\n/// Documented.\nfn f() { // 7\n    // no\n\n    g(\"one\ntwo\"); // 10 and 11\n}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n#[cfg(any(test, feature = \"model\"))]\npub mod model;\n#[cfg(not(test))]\nuse x::y; // 20\n";
        let scanned = scan(text).expect("it is Rust");
        assert_eq!(scanned.lines.into_iter().collect::<Vec<_>>(), [3, 5, 7, 10, 11, 12, 19, 20]);
        assert_eq!(scanned.modules, ["a"]);
        assert!(scan("fn f( {").is_err());
    }

    #[test]
    fn assembly_is_found_and_counted() {
        let scanned = scan("global_asm!(include_str!(\"trap.s\"));").expect("it is Rust");
        // It is found in the group too.
        assert_eq!(scanned.assembly, ["trap.s"]);
        assert_eq!(assembly("# no\n\nstart:\n  // no\n  mv a0, a1 # yes\n"), 2);
    }
}
