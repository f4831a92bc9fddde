//! The note by which a file says that it is a guest, and for which interface.

use crate::guest_error::ImageError;
use elf::ElfBytes;
use elf::abi::PT_NOTE;
use elf::endian::LittleEndian;
use elf::note::Note;
use elf::segment::SegmentTable;
use hypercall_abi::note::{GuestNote, NAME, NOTE_TYPE};
use hypercall_abi::{AbiVersion, Features};
use zerocopy::FromBytes;

/// Finds the one note and checks what it asks for.
pub(crate) fn find(
    file: &ElfBytes<'_, LittleEndian>,
    headers: &SegmentTable<'_, LittleEndian>,
) -> Result<GuestNote, ImageError> {
    let mut found = None;
    for header in headers.iter().filter(|header| header.p_type == PT_NOTE) {
        let notes = file.segment_data_as_notes(&header).map_err(|_| ImageError::Damaged)?;
        for note in notes {
            let Note::Unknown(note) = note else { continue };
            if note.name_str().ok() != Some(NAME) || note.n_type != u64::from(NOTE_TYPE) {
                continue;
            }
            if found.is_some() {
                return Err(ImageError::SeveralNotes);
            }
            found =
                Some(GuestNote::read_from_bytes(note.desc).map_err(|_| ImageError::NoteDamaged)?);
        }
    }
    let note = found.ok_or(ImageError::NoNote)?;
    if !AbiVersion::CURRENT.accepts(note.version) {
        return Err(ImageError::Version(note.version));
    }
    if note.reserved != 0 {
        return Err(ImageError::NoteDamaged);
    }
    let unknown = note.required_features & !Features::KNOWN.bits();
    if unknown != 0 {
        return Err(ImageError::UnknownFeatures(unknown));
    }
    Ok(note)
}
