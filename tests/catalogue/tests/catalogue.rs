//! The catalogue in the tree is whole: every advisory has an answer, every answer is there.

use catalogue::{Catalogue, check, citations::Tests, page, root};

#[test]
fn every_advisory_has_an_answer_that_is_there() {
    let catalogue = Catalogue::read(&root()).unwrap();
    let findings = check::check(&catalogue, &Tests::find(&root()).unwrap());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn the_page_in_the_book_is_up_to_date() {
    let catalogue = Catalogue::read(&root()).unwrap();
    assert_eq!(page::out_of_date(&root(), &catalogue), None);
}
