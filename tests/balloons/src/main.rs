//! Plays with guests that give 1 GiB in all, and writes what came of it as JSON. It is run by `cargo xtask
//! experiment virtio-balloon`, which makes tables of it.

use two_balloons::{Size, play};

fn main() -> std::io::Result<()> {
    serde_json::to_writer(std::io::stdout().lock(), &play(Size::GIB))?;
    Ok(())
}
