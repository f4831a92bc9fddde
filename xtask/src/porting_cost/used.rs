//! Which modules of the guest's library the kernel uses: those that it names, and those that they
//! name in turn.

use super::tree::Module;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};

/// Modules that the kernel has without naming them: they hold what the linker looks for.
const LINKED: [&str; 4] = ["arch", "heap", "panic", "start"];

/// Names of modules of the library `crate_` that code reaches which names `library::...`.
pub fn used(library: &str, crate_: &Module, users: &[&Module]) -> BTreeSet<String> {
    let homes = homes(crate_);
    let home = |name: &String| homes.get(name).cloned();
    let mut open: Vec<String> = LINKED.iter().map(|name| (*name).to_owned()).collect();
    for user in users.iter().flat_map(|user| user.all()) {
        open.extend(named(&user.scanned.tokens, &[library]).iter().filter_map(home));
    }
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(module) = crate_.below.iter().find(|module| module.name == name) else { continue };
        if found.insert(name) {
            for part in module.all() {
                open.extend(
                    named(&part.scanned.tokens, &["crate", "super"]).iter().filter_map(home),
                );
            }
        }
    }
    found
}

/// The module in which each name is at home that the library offers: a module's own name, what
/// the first file takes out of it, and macros.
fn homes(crate_: &Module) -> BTreeMap<String, String> {
    let mut homes = BTreeMap::new();
    for module in &crate_.below {
        for part in module.all() {
            for pair in part.scanned.tokens.windows(3) {
                if let [TokenTree::Ident(word), _, TokenTree::Ident(name)] = pair
                    && word == "macro_rules"
                {
                    homes.insert(name.to_string(), module.name.clone());
                }
            }
        }
        for name in named(&crate_.scanned.tokens, &[&module.name]) {
            homes.insert(name, module.name.clone());
        }
    }
    for module in &crate_.below {
        homes.insert(module.name.clone(), module.name.clone());
    }
    homes
}

/// Names that stand behind one of these words and `::`: one, or each first one in braces.
fn named(tokens: &[TokenTree], words: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                names.extend(named(&inside, words));
            }
            TokenTree::Ident(word) if words.contains(&word.to_string().as_str()) => {
                let is_path = tokens[index + 1..].iter().take(2).all(
                    |token| matches!(token, TokenTree::Punct(colon) if colon.as_char() == ':'),
                );
                match tokens.get(index + 3) {
                    Some(TokenTree::Ident(name)) if is_path => {
                        names.insert(name.to_string());
                    }
                    Some(TokenTree::Group(list)) if is_path => names.extend(firsts(list.stream())),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    names
}

/// The first name of each part of a list.
fn firsts(list: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_first = true;
    for token in list {
        match token {
            TokenTree::Ident(name) if is_first => {
                names.push(name.to_string());
                is_first = false;
            }
            TokenTree::Punct(comma) if comma.as_char() == ',' => is_first = true,
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::porting_cost::lines::scan;

    fn module(name: &str, text: &str, below: Vec<Module>) -> Module {
        let scanned = scan(text).expect("it is Rust");
        Module { name: name.into(), own_lines: scanned.lines.len(), scanned, below }
    }

    #[test]
    fn what_is_named_is_used_and_what_that_names() {
        let library = module(
            "lib",
            "mod a; mod b; mod c; mod d; mod e; mod start; pub use c::{deep::Thing, Other as O};",
            vec![
                module("a", "use crate::b::X; fn f() { crate::e!(); }", Vec::new()),
                module("b", "use core::c::d;", Vec::new()),
                module("c", "", Vec::new()),
                module("d", "", Vec::new()),
                module("e", "macro_rules! say { () => {} }", Vec::new()),
                module("start", "", Vec::new()),
            ],
        );
        let of = |text: &str| {
            let user = module("main", text, Vec::new());
            used("pv", &library, &[&user]).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of("use other::d;"), ["start"]);
        assert_eq!(of("use pv::a::f;"), ["a", "b", "e", "start"]);
        assert_eq!(of("fn f() { pv::say!(pv::deep) }"), ["c", "e", "start"]);
        assert_eq!(of("use pv::{b, d::{x, c}};"), ["b", "d", "start"]);
    }
}
