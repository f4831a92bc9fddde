//! The page: one file of HTML with everything in it.

use super::{Compared, Evidence, Ran};
use crate::experiment::outcome::{Figure, Rows};
use crate::experiment::picture;
use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
body { font-family: sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; }
th, td { border-bottom: 1px solid #ccc; padding: 0.2rem 0.8rem; text-align: left; vertical-align: top; }
td.number { text-align: right; }
td.missed { color: #b00; font-weight: bold; }
svg { max-width: 100%; height: auto; }
ul { margin: 0.2rem 0; }
.about { display: flex; gap: 3rem; }
";

/// The page as text.
pub fn html(compared: &[Compared], ran: &[Ran]) -> Result<String> {
    let runs = ran.iter().map(run).collect::<Result<Vec<Markup>>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Techniques of memory virtualization, compared" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Techniques of memory virtualization, compared" }
                p {
                    "Every figure is of a run of this repository's experiments, made for this page by "
                    code { "cargo xtask experiment comparison" }
                    "; those that boot machines are run with " code { "--booted" } "."
                }
                @for compared in compared { (kind(compared)) }
                h2 { "The runs" }
                @for run in &runs { (run) }
            }
        }
    };
    Ok(page.into_string())
}

fn kind(compared: &Compared) -> Markup {
    html! {
        h2 { (compared.kind.title) }
        @for (technique, evidence) in compared.kind.techniques.iter().zip(&compared.evidence) {
            h3 { (technique.name) }
            p { (technique.purpose) }
            div class="about" {
                (list("for it", technique.pros))
                (list("against it", technique.cons))
            }
            (measured(evidence))
        }
    }
}

fn list(title: &str, points: &[&str]) -> Markup {
    html! {
        div {
            b { (title) }
            ul { @for point in points { li { (point) } } }
        }
    }
}

fn measured(evidence: &[Evidence]) -> Markup {
    html! {
        table {
            tr { th { "measured" } th { "reference" } th { "ours" } th {} th { "experiment" } }
            @for found in evidence {
                tr {
                    td { (found.what) }
                    td { (found.reference) }
                    @match &found.ours {
                        Some(ours) => td { (ours) },
                        None => td { i { "not run" } },
                    }
                    (verdict(found.holds))
                    td { a href=(format!("#{}", found.experiment)) { (found.experiment) } }
                }
            }
        }
    }
}

fn verdict(holds: Option<bool>) -> Markup {
    match holds {
        Some(true) => html! { td { "holds" } },
        Some(false) => html! { td class="missed" { "MISSED" } },
        None => html! { td {} },
    }
}

/// An experiment: its figures and picture, and its tables for who opens them.
fn run(ran: &Ran) -> Result<Markup> {
    let Some(outcome) = &ran.outcome else {
        return Ok(html! {
            h3 id=(ran.name) { (ran.name) }
            p { (ran.about) ". Not run: " code { "cargo xtask experiment " (ran.name) } }
        });
    };
    let drawn = picture::svg(&outcome.picture)?;
    Ok(html! {
        h3 id=(ran.name) { (ran.name) }
        p { (ran.about) }
        (figures(&outcome.figures))
        (PreEscaped(drawn))
        details {
            summary { "tables" }
            @for rows in &outcome.tables { (table(rows)) }
        }
        @for remark in &outcome.remarks { p { (remark) } }
    })
}

fn figures(figures: &[Figure]) -> Markup {
    html! {
        table {
            tr { th { "figure" } th { "reference" } th { "ours" } th {} }
            @for figure in figures {
                tr {
                    td { (figure.what) }
                    td { (figure.reference) }
                    td { (figure.ours) }
                    (verdict(figure.holds))
                }
            }
        }
    }
}

fn table(rows: &Rows) -> Markup {
    html! {
        p { b { (rows.title) } }
        table {
            tr { @for name in &rows.header { th { (name) } } }
            @for row in &rows.rows {
                tr {
                    @for (column, cell) in row.iter().enumerate() {
                        @if column > 0 && rows.has_numbers(column) {
                            td class="number" { (cell.to_string()) }
                        } @else {
                            td { (cell.to_string()) }
                        }
                    }
                }
            }
        }
    }
}
