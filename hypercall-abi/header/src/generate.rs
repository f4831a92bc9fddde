//! Makes the header and the C file that checks it.

use crate::{layouts, values};
use cbindgen::{
    Builder, Config, DocumentationLength, DocumentationStyle, EnumConfig, ExportConfig, ItemType,
    Language, RenameRule, Style,
};
use hypercall_abi::{Error, Number, trap::Cause};
use std::{fmt::Write, path::Path};

/// Types in the header, and the files that define them.
const FILES: &[(&str, &[&str])] = &[
    ("addr", &["Mfn", "Pfn", "VirtAddr", "Level"]),
    ("ids", &["DomainId", "Port", "GrantRef", "GrantHandle"]),
    ("number", &["Number"]),
    ("status", &["Status", "Error"]),
    ("version", &["AbiVersion", "Features"]),
    ("start_info", &["PageTableFormat", "StartInfo"]),
    ("vcpu_page", &["VcpuHeader"]),
    ("registers", &["X86_64Registers", "Riscv64Registers"]),
    (
        "trap",
        &[
            "CauseBits",
            "Cause",
            "TrapFlags",
            "FaultAccess",
            "TrapHeader",
            "X86_64TrapFrame",
            "Riscv64TrapFrame",
        ],
    ),
    ("domain_info", &["DomainInfo"]),
    ("balloon_statistics", &["BalloonStatistics"]),
    ("note", &["GuestNote"]),
    ("calls/mod", &["Args"]),
    ("calls/abi_query", &["Query"]),
    ("calls/batch", &["BatchEntry"]),
    ("calls/console_write", &["Stream"]),
    ("calls/grant_share", &["Access"]),
    ("calls/pte_update", &["TargetBits", "Update"]),
    ("calls/shutdown", &["ShutdownReason"]),
];

const OPENING: &str = "\
/* Paravane: the contract between the hypervisor and guest kernels, for C.

   Generated from the Rust crate hypercall-abi, whose documentation and the book say what
   everything means. Not to be edited: change the crate, then run
   PARAVANE_BLESS=1 cargo test -p abi-header */

#ifndef PARAVANE_H
#define PARAVANE_H";

/// The header's text.
pub fn header() -> String {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let config = Config {
        language: Language::C,
        header: Some(OPENING.into()),
        sys_includes: vec!["stdint.h".into()],
        no_includes: true,
        after_includes: Some(constants()),
        documentation_style: DocumentationStyle::C99,
        style: Style::Both,
        tab_width: 2,
        line_length: 96,
        documentation_length: DocumentationLength::Full,
        usize_is_size_t: true,
        enumeration: EnumConfig {
            rename_variants: RenameRule::QualifiedScreamingSnakeCase,
            ..EnumConfig::default()
        },
        export: ExportConfig {
            include: FILES
                .iter()
                .flat_map(|(_, types)| types.iter())
                .map(|t| (*t).into())
                .collect(),
            prefix: Some("Pv".into()),
            item_types: vec![ItemType::Enums, ItemType::Structs, ItemType::Typedefs],
            ..ExportConfig::default()
        },
        trailer: Some(trailer()),
        ..Config::default()
    };
    let mut builder = Builder::new().with_config(config);
    for (file, _) in FILES {
        builder = builder.with_src(sources.join(format!("{file}.rs")));
    }
    let mut text = Vec::new();
    builder.generate().expect("cbindgen reads the crate").write(&mut text);
    let text = String::from_utf8(text).expect("the header is text");
    // The lengths of arrays in structures are among the constants.
    let text = text.replace("[PvNAME_", "[PV_NAME_").replace("[PvCOMMAND_", "[PV_COMMAND_");
    without_links(&plain(&text))
}

/// The text without what cbindgen adds for C23, and without its constants of types, whose
/// expressions are Rust's and overflow in C.
fn plain(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    // Inside a conditional for C23: whether the line is in the branch for older compilers.
    let mut older = None;
    for line in text.lines() {
        if line.starts_with("#if __STDC_VERSION__") {
            older = Some(false);
        } else if older.is_some() && line == "#else" {
            older = Some(true);
        } else if older.is_some() && line.starts_with("#endif") {
            older = None;
        } else if line.starts_with("#define Pv") {
            while lines.last().is_some_and(|line| line.starts_with("//")) {
                lines.pop();
            }
        } else if older != Some(false) {
            lines.push(line);
        }
    }
    lines.join("\n").replace("\n {\n", " {\n") + "\n"
}

/// The text with rustdoc's links replaced by what they show.
fn without_links(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        let (before, link) = rest.split_at(start);
        result.push_str(before);
        let end = link.find("`]").expect("a link ends");
        result.push_str(&link[1..=end]);
        rest = &link[end + 2..];
        if rest.starts_with('(') {
            rest = &rest[rest.find(')').expect("a link's target ends") + 1..];
        }
    }
    result + rest
}

/// Constants, which cbindgen does not see or would name alike.
fn constants() -> String {
    let mut text = String::from("\n");
    for (heading, constants) in values::groups() {
        writeln!(text, "/* {heading}. */").unwrap();
        for (name, value) in constants {
            let value = if value < 4096 { format!("{value}ull") } else { format!("{value:#x}ull") };
            writeln!(text, "#define PV_{name} {value}").unwrap();
        }
        text.push('\n');
    }
    text.trim_end().into()
}

/// The note, and the stubs of the calls.
fn trailer() -> String {
    let mut text = String::from(include_str!("note.h"));
    text.push_str(include_str!("stubs.h"));
    for (number, arguments) in values::CALLS {
        let name = number.name();
        let parameters: Vec<String> =
            arguments.iter().map(|argument| format!("uint64_t {argument}")).collect();
        let parameters = if parameters.is_empty() { "void".into() } else { parameters.join(", ") };
        let mut passed: Vec<&str> = arguments.to_vec();
        passed.resize(6, "0");
        let constant = format!("PV_NUMBER_{}", name.to_uppercase());
        writeln!(text, "static inline PvResult pv_{name}({parameters}) {{").unwrap();
        writeln!(text, "  return pv_call({constant}, {});\n}}\n", passed.join(", ")).unwrap();
    }
    text + "#endif /* PARAVANE_H */"
}

/// A C file that includes the header and asserts what the crate says.
pub fn assertions() -> String {
    let mut text = String::from("#include <stddef.h>\n#include \"paravane.h\"\n\n");
    let mut assert = |condition: String| {
        writeln!(text, "_Static_assert({condition}, \"{condition}\");").unwrap();
    };
    for (name, size, fields) in layouts::all() {
        assert(format!("sizeof(Pv{name}) == {size}"));
        assert(format!("sizeof(struct Pv{name}) == {size}"));
        for (field, offset) in fields {
            assert(format!("offsetof(Pv{name}, {field}) == {offset}"));
        }
    }
    let words = ["Mfn", "Pfn", "VirtAddr", "Status", "Features", "FaultAccess", "TargetBits"];
    let halves = ["Port", "GrantRef", "GrantHandle", "CauseBits", "TrapFlags"];
    for (types, size) in [(&words[..], 8), (&halves[..], 4), (&["DomainId"][..], 2)] {
        for name in types {
            assert(format!("sizeof(Pv{name}) == {size}"));
        }
    }
    for call in Number::ALL {
        assert(format!("PV_NUMBER_{} == {}", call.name().to_uppercase(), call as u64));
    }
    for error in Error::ALL {
        assert(format!("PV_ERROR_{} == {}", screaming(error.name()), error as u64));
    }
    for cause in Cause::ALL {
        assert(format!("PV_CAUSE_{} == {}", screaming(&format!("{cause:?}")), cause as u32));
    }
    for (_, constants) in values::groups() {
        for (name, value) in constants {
            assert(format!("PV_{name} == {value}ull"));
        }
    }
    text.push_str("\nPV_GUEST_NOTE(PV_FEATURE_FLOATING_POINT, 0);\n");
    text.push_str("_Static_assert(sizeof pv_guest_note == 48, \"note\");\n\n");
    text.push_str("uint64_t use_everything(uint64_t a, uint64_t b, uint64_t c);\n");
    text.push_str("uint64_t use_everything(uint64_t a, uint64_t b, uint64_t c) {\n");
    text.push_str("  const uint64_t args[4] = {a, b, c, a + b};\n  uint64_t sum = 0;\n");
    for (number, arguments) in values::CALLS {
        let passed: Vec<String> =
            (0..arguments.len()).map(|index| format!("args[{index}]")).collect();
        writeln!(text, "  sum += pv_{}({}).value;", number.name(), passed.join(", ")).unwrap();
    }
    text.push_str("  return sum;\n}\n");
    text
}

/// `BadFrame` as `BAD_FRAME`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for (index, character) in name.char_indices() {
        if index > 0 && character.is_uppercase() {
            text.push('_');
        }
        text.extend(character.to_uppercase());
    }
    text
}
