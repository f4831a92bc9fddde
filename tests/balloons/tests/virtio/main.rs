//! The device side of virtio-balloon, with a driver that does as Linux's does: its queues are those of the
//! crate `virtio-drivers`, which knows nothing of this device. And rings that no driver would write.

mod arena;
mod driver;
mod hostile;
mod machine;
mod operation;
mod plugs;
mod random;
mod rings;
