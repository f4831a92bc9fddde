//! Serves pages that take long to make: those that were asked for lately lie in memory of its own, and what
//! has no room there goes to `/dev/spare`, where it is found again or not. `cache PAGES OWN REQUESTS PARTS`:
//! so many pages there are, so many of them has it room for, so often one is asked for; after each part of
//! the requests a line says where they were found. The page of rank `r` is asked for about `1/r` as often as the
//! first.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "its memory is an address to the kernel")]

use kernel_programs::calls::{MAP_PRIVATE, O_RDWR, PAGE, new_memory, open, read, seek, write};
use kernel_programs::{Random, Start, check, println, program};

program!(main);

/// Words of a page.
const WORDS: usize = PAGE / 8;

/// Rounds that make a word: a page takes some 60,000 instructions, less than a slow disk.
const ROUNDS: u32 = 32;

/// A page.
type Page = [u64; WORDS];

/// A place for a page.
#[derive(Clone, Copy)]
struct Place {
    /// The page, by its number and one; 0 for none.
    page: u32,
    /// Whether it was asked for since the hand came by.
    used: u32,
}

/// Where pages were found.
#[derive(Clone, Copy, Default)]
struct Counts {
    own: usize,
    spare: usize,
    made: usize,
}

fn main(start: &Start) -> i32 {
    let numbers = [1, 2, 3, 4].map(|index| start.number(index).unwrap_or(0));
    let [pages, own, requests, parts] = numbers;
    if numbers.contains(&0) || own >= pages || requests < parts {
        println!("cache PAGES OWN REQUESTS PARTS, OWN below PAGES and PARTS not above REQUESTS");
        return 2;
    }
    // Linux has none: then every page is made that it has not itself.
    let device = open(c"/dev/spare", O_RDWR, 0).ok();
    let places: &mut [Place] = memory(own);
    let content: &mut [Page] = memory(own);
    let where_is: &mut [u32] = memory(pages);
    let mut random = Random::new(7);
    let (mut hand, mut counts) = (0, Counts::default());
    for request in 1..=requests {
        let page = rank(&mut random, pages);
        let place = match where_is[page].checked_sub(1) {
            Some(place) => {
                counts.own += 1;
                place as usize
            }
            None => {
                // A clock with a second chance.
                while places[hand].used > 0 {
                    places[hand].used = 0;
                    hand = (hand + 1) % own;
                }
                let place = hand;
                hand = (hand + 1) % own;
                if let Some(old) = places[place].page.checked_sub(1) {
                    where_is[old as usize] = 0;
                    put(device, old as usize, &content[place]);
                }
                if get(device, page, &mut content[place]) {
                    counts.spare += 1;
                } else {
                    make(page, &mut content[place]);
                    counts.made += 1;
                }
                places[place].page = page as u32 + 1;
                where_is[page] = place as u32 + 1;
                place
            }
        };
        places[place].used = 1;
        let word = random.below(WORDS);
        check!(content[place][word] == word_of(page, word), "page {page} is another");
        if request % (requests / parts) == 0 {
            let Counts { own, spare, made } = counts;
            println!("cache: {own} {spare} {made}");
            counts = Counts::default();
        }
    }
    println!("cache done");
    0
}

/// New memory for so many values, which are good when they are zero.
fn memory<T: Copy>(count: usize) -> &'static mut [T] {
    let bytes = (count * size_of::<T>()).next_multiple_of(PAGE);
    let address = new_memory(bytes, MAP_PRIVATE);
    check!(address.is_ok(), "{bytes} bytes: {address:?}");
    // SAFETY: the memory is new, nobody else's and as long; the types that are asked for are numbers.
    unsafe { core::slice::from_raw_parts_mut(address.unwrap_or_default() as *mut T, count) }
}

/// A page: its power of two first, each as likely as any other, then one of that power.
fn rank(random: &mut Random, pages: usize) -> usize {
    loop {
        let power = random.below(pages.ilog2() as usize + 1);
        let rank = (1 << power) + random.below(1 << power);
        if rank <= pages {
            return rank - 1;
        }
    }
}

fn word_of(page: usize, word: usize) -> u64 {
    let mut value = (page * WORDS + word) as u64 + 1;
    for _ in 0..ROUNDS {
        value = (value ^ value >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    value
}

fn make(page: usize, to: &mut Page) {
    for (word, value) in to.iter_mut().enumerate() {
        *value = word_of(page, word);
    }
}

/// Puts a page into spare memory; whether there is room does not matter.
fn put(device: Option<i32>, page: usize, from: &Page) {
    let Some(device) = device else { return };
    // SAFETY: a page of words is a page of bytes.
    let bytes = unsafe { &*(&raw const *from).cast::<[u8; PAGE]>() };
    if seek(device, page * PAGE).is_ok() {
        let _ = write(device, bytes);
    }
}

/// Whether a page was there still.
fn get(device: Option<i32>, page: usize, to: &mut Page) -> bool {
    let Some(device) = device else { return false };
    // SAFETY: a page of words is a page of bytes, of any value.
    let bytes = unsafe { &mut *(&raw mut *to).cast::<[u8; PAGE]>() };
    seek(device, page * PAGE).is_ok() && read(device, bytes) == Ok(PAGE)
}
