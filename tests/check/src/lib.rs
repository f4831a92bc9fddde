//! Explores, breadth first, the states of the core that a few small domains can reach: the very
//! code that ships, on its model of a machine, with one unit of work an entry, so that every
//! call is under way while others act. After each step every invariant is recomputed.
//!
//! [`scope`]: what is searched together, and how deep. [`menu`]: what may be done in a state.
//! [`action`]: a step, and how a trace tells it. [`world`]: a state, and how a step leads to
//! another. [`search`]: the search. [`planted`]: faults of the past that it must find.
//! [`report`]: what it says. The book's page on checking says what all this shows, and what not.

pub mod action;
pub mod menu;
pub mod planted;
pub mod report;
pub mod scope;
pub mod search;
pub mod world;
