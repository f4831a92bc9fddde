//! Event channels.

use super::call;
use hypercall_abi::{
    DomainId, Error, Port,
    calls::{EventAlloc, EventBind, EventClose, EventMask, EventSend},
};

/// [`EventAlloc`]: opens a port that another domain may bind.
///
/// # Errors
/// As the book's page says.
pub fn event_alloc(domain: DomainId) -> Result<Port, Error> {
    // SAFETY: ports are no memory.
    unsafe { call(&EventAlloc { domain }) }.map(|value| Port(value as u32))
}

/// [`EventBind`]: joins a port that another domain has opened for the caller.
///
/// # Errors
/// As the book's page says.
pub fn event_bind(domain: DomainId, port: Port) -> Result<Port, Error> {
    // SAFETY: ports are no memory.
    unsafe { call(&EventBind { domain, port }) }.map(|value| Port(value as u32))
}

/// [`EventSend`]: signals the other end.
///
/// # Errors
/// As the book's page says.
pub fn event_send(port: Port) -> Result<(), Error> {
    // SAFETY: ports are no memory.
    unsafe { call(&EventSend { port }) }.map(drop)
}

/// [`EventMask`]: masks or unmasks a port.
///
/// # Errors
/// As the book's page says.
pub fn event_mask(port: Port, masked: bool) -> Result<(), Error> {
    // SAFETY: ports are no memory.
    unsafe { call(&EventMask { port, masked }) }.map(drop)
}

/// [`EventClose`]: closes a port.
///
/// # Errors
/// As the book's page says.
pub fn event_close(port: Port) -> Result<(), Error> {
    // SAFETY: ports are no memory.
    unsafe { call(&EventClose { port }) }.map(drop)
}
