//! What is played: figure 3 of Waldspurger (OSDI 2002), and what comes before and after.

use crate::tracer::Tracer;
use merge_trace::{Line, Page};

/// Pages of three domains with one content, each at another place.
const FIRST: Page = Page { domain: 1, page: 100 };
const SECOND: Page = Page { domain: 2, page: 101 };
const THIRD: Page = Page { domain: 3, page: 102 };

/// A page of which a hint tells what is not so any more, and one that has what the hint tells.
const CHANGED: Page = Page { domain: 1, page: 103 };
const LATE: Page = Page { domain: 2, page: 104 };

/// Pages whose guests say what is in them, by the same number.
const NAMED: [Page; 2] = [Page { domain: 1, page: 105 }, Page { domain: 3, page: 106 }];

const CONTENT: u64 = 7;
const OTHER_CONTENT: u64 = 9;
const NAMED_CONTENT: u64 = 11;

/// Plays it: everything that there is to tell.
pub fn play() -> Vec<Line> {
    let mut tracer = Tracer::new(3);
    for page in [FIRST, SECOND, THIRD] {
        tracer.fill(page, CONTENT);
    }
    tracer.begin("a hint");
    tracer.advise(FIRST, 0);
    tracer.until(|world| world.state.scan_records().count() == 1);
    tracer.show("before the merge");

    tracer.begin("a merge");
    tracer.advise(SECOND, 0);
    tracer.until(|world| world.state.sharing.counters.merged == 1);
    tracer.scrub();
    tracer.show("after the merge");

    tracer.begin("a third page");
    tracer.advise(THIRD, 0);
    tracer.until(|world| world.state.sharing.counters.merged == 2);
    tracer.scrub();
    tracer.show("with a third page");

    tracer.begin("a write");
    tracer.write(SECOND, 5, 0xbad);
    tracer.show("after a write");

    tracer.begin("a hint that does not hold");
    tracer.fill(CHANGED, OTHER_CONTENT);
    tracer.fill(LATE, OTHER_CONTENT);
    tracer.advise(CHANGED, 0);
    let known = tracer.world.state.scan_records().count();
    tracer.until(|world| world.state.scan_records().count() > known + 1);
    tracer.write(CHANGED, 5, 0xbad);
    tracer.advise(LATE, 0);
    tracer.until(|world| world.state.scan_counters().stale == 1);
    tracer.show("after the hint that does not hold");

    tracer.begin("pages that are named");
    for page in NAMED {
        tracer.fill(page, NAMED_CONTENT);
        tracer.advise(page, NAMED_CONTENT);
    }
    let merged = tracer.world.state.sharing.counters.merged;
    tracer.until(|world| world.state.sharing.counters.merged > merged);
    tracer.show_pages("after pages that are named");
    tracer.into_lines()
}

#[cfg(test)]
mod tests {
    use super::*;
    use merge_trace::{Event, RecordKind, What};

    fn events(lines: &[Line], of: &str) -> Vec<Event> {
        let all = lines.iter().filter_map(|line| match line {
            Line::Event(event) => Some(event.clone()),
            _ => None,
        });
        all.filter(|event| event.stage == of).collect()
    }

    fn whats(events: &[Event]) -> Vec<What> {
        events.iter().map(|event| event.what).collect()
    }

    #[test]
    fn a_merge_is_one_step_in_a_fixed_order() {
        use What::*;
        let lines = play();
        let events = events(&lines, "a merge");
        let merge = events.iter().position(|event| event.what == Protected);
        let merge = &events[merge.expect("it protects")..];
        let order = [
            Protected,
            Protected,
            Flushed,
            Compared,
            Compared,
            Redirected,
            SlotWritten,
            References,
            Released,
            FrameRecorded,
        ];
        assert_eq!(whats(merge)[..order.len()], order);
        assert!(merge[..order.len()].iter().all(|event| event.step == merge[0].step));
        let kept = merge[5].frame;
        assert_eq!((merge[5].page, merge[6].page), (Some(SECOND), Some(SECOND)));
        assert_eq!((merge[6].frame, merge[7].frame, merge[7].count), (kept, kept, Some(2)));
        let [.., scrubbed, list] = merge else { panic!("{merge:?}") };
        assert_eq!((scrubbed.what, list.what), (Scrubbed, FreeList));
        assert_eq!(scrubbed.frame, merge[8].frame, "what the second page had is free");
    }

    #[test]
    fn the_table_has_a_hint_first_and_a_frame_afterwards() {
        let lines = play();
        let records = |of: &str| {
            let mut found = lines.iter().filter_map(|line| match line {
                Line::Records { when, records, bytes_each: 16 } if when == of => Some(records),
                _ => None,
            });
            found.next().expect("it is told").clone()
        };
        let [hint] = &records("before the merge")[..] else { panic!("one hint") };
        assert_eq!((hint.kind, hint.page), (RecordKind::Hint, Some(FIRST)));
        let [shared] = &records("after the merge")[..] else { panic!("one frame") };
        assert_eq!((shared.kind, shared.references), (RecordKind::Shared, Some(2)));
        assert_eq!((shared.place, shared.tag, shared.frame), (hint.place, hint.tag, hint.frame));
        assert_eq!(records("with a third page")[0].references, Some(3));
        assert_eq!(records("after a write")[0].sharers, Some(2));
    }

    #[test]
    fn a_write_changes_the_page_of_who_writes_alone() {
        let lines = play();
        let of = |wanted: &str| {
            let mut found = lines.iter().filter_map(|line| match line {
                Line::Pages { when, pages, .. } if when == wanted => Some(pages),
                _ => None,
            });
            found.next().expect("it is told").clone()
        };
        let (before, after) = (of("with a third page"), of("after a write"));
        assert!(before.iter().chain(&after).all(|page| page.is_right));
        let changed: Vec<Page> = before
            .iter()
            .zip(&after)
            .filter(|(before, after)| before.frame != after.frame)
            .map(|(before, _)| before.page)
            .collect();
        assert_eq!(changed, [SECOND]);
        let write = events(&lines, "a write");
        assert_eq!((write[0].what, write[write.len() - 1].what), (What::Faulted, What::Written));
    }

    #[test]
    fn a_hint_that_does_not_hold_merges_nothing() {
        let lines = play();
        let events = events(&lines, "a hint that does not hold");
        assert!(!whats(&events).contains(&What::Compared));
        assert!(!whats(&events).contains(&What::References));
        let [.., rehashed, forgotten, _] = &events[..] else { panic!("{events:?}") };
        assert_eq!((rehashed.what, rehashed.page), (What::Rehashed, Some(CHANGED)));
        assert_eq!((forgotten.what, forgotten.page), (What::Forgotten, Some(CHANGED)));
    }

    #[test]
    fn what_guests_name_alike_is_compared_and_merged_without_a_look() {
        let events = events(&play(), "pages that are named");
        let of_named: Vec<What> = events
            .iter()
            .filter(|event| event.page.is_some_and(|page| NAMED.contains(&page)))
            .map(|event| event.what)
            .collect();
        use What::*;
        assert_eq!(of_named, [Protected, Protected, Compared, Compared, Redirected, SlotWritten]);
    }
}
