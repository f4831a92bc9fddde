//! The play in little: 16 MiB that each guest can do without.

use two_balloons::{Size, play};

#[test]
fn both_guests_give_all_that_they_can_spare_and_get_it_back() {
    let size = Size { spare_extents: 8 };
    let played = play(size);
    for moves in [played.paravirtual, played.unmodified] {
        assert_eq!((moves.taken, moves.given), (size.spare(), size.spare()));
        assert!(!moves.stalled);
    }
    let (ours, theirs) = (played.paravirtual, played.unmodified);
    assert_eq!((ours.to_take, ours.to_give), (1, 1), "whole extents, in one call");
    let kicks = size.spare() / 256;
    assert_eq!((theirs.to_take, theirs.to_give), (kicks, kicks), "an array of 256 each");
    let [needed, over] = played.turns;
    let owned = |round: usize| played.rounds[round - 1].owned;
    assert_eq!(owned(needed)[..2], [size.guest(); 2]);
    assert_eq!(owned(over)[..2], [size.guest() - size.spare(); 2]);
    assert!(owned(over)[2] >= owned(needed)[2] + 2 * size.spare(), "it has what both gave");
    assert_eq!(played.rounds.last().map(|round| round.owned), Some(owned(needed)));
}
