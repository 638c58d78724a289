//! The functions on sockets. Guests have no sockets.

use wasmtime_wasi::p1::types::{Errno, Fdflags, Riflags, Sdflags};

use super::call::{Call, flags};
use super::errno::Result;

impl Call<'_> {
    pub(crate) fn sock_accept(&mut self, fd: u32, flags: u32, _to: u32) -> Result<()> {
        flags!(Fdflags(flags));
        self.no_socket(fd)
    }

    pub(crate) fn sock_recv(
        &mut self,
        fd: u32,
        _iovs: u32,
        _count: u32,
        flags: u32,
        _read: u32,
        _answer: u32,
    ) -> Result<()> {
        flags!(Riflags(flags));
        self.no_socket(fd)
    }

    pub(crate) fn sock_send(
        &mut self,
        fd: u32,
        _iovs: u32,
        _count: u32,
        flags: u32,
        _written: u32,
    ) -> Result<()> {
        // No flags are defined.
        if flags != 0 {
            return Err(Errno::Inval.into());
        }
        self.no_socket(fd)
    }

    pub(crate) fn sock_shutdown(&mut self, fd: u32, how: u32) -> Result<()> {
        flags!(Sdflags(how));
        self.no_socket(fd)
    }

    fn no_socket(&self, fd: u32) -> Result<()> {
        self.wasi.descriptors.get(fd)?;
        Err(Errno::Notsock.into())
    }
}
