//! Errors of WASI functions.

use std::io;

use wasmtime_wasi::p1::types::Errno;
use wiggle::GuestError;

/// The reason why a WASI function fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The guest gets this error number and continues.
    Errno(Errno),
    /// The error ends the guest.
    End(wasmtime::Error),
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// An undefined value of an enumeration or of flags is `EINVAL`, and a pointer out of bounds is `EFAULT`, as in
/// POSIX. wasmtime-wasi ends the guest instead (bytecodealliance/wasmtime#7116).
impl From<GuestError> for Failure {
    fn from(error: GuestError) -> Self {
        Self::Errno(match error {
            GuestError::InvalidFlagValue(_)
            | GuestError::InvalidEnumValue(_)
            | GuestError::TryFromIntError(_) => Errno::Inval,
            GuestError::PtrOverflow
            | GuestError::PtrOutOfBounds(_)
            | GuestError::PtrNotAligned(..)
            | GuestError::SliceLengthsDiffer => Errno::Fault,
            GuestError::InvalidUtf8(_) => Errno::Ilseq,
            GuestError::InFunc { err, .. } => return Self::from(*err),
        })
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Errno(system(errno))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Errno(match rustix::io::Errno::from_io_error(&error) {
            Some(errno) => system(errno),
            // Errors without a system error number come from cap-std, for example for a path that leads out of its
            // folder.
            None => match error.kind() {
                io::ErrorKind::NotFound => Errno::Noent,
                io::ErrorKind::PermissionDenied => Errno::Perm,
                io::ErrorKind::AlreadyExists => Errno::Exist,
                io::ErrorKind::InvalidInput => Errno::Inval,
                io::ErrorKind::NotADirectory => Errno::Notdir,
                _ => Errno::Io,
            },
        })
    }
}

/// Converts an error number of the system to the one of WASI.
fn system(errno: rustix::io::Errno) -> Errno {
    macro_rules! known {
        ($($system:ident => $wasi:ident,)*) => {
            match errno {
                $(rustix::io::Errno::$system => Errno::$wasi,)*
                // Equal to another constant on some systems, so it cannot be a pattern.
                errno if errno == rustix::io::Errno::OPNOTSUPP => Errno::Notsup,
                errno if errno == rustix::io::Errno::WOULDBLOCK => Errno::Again,
                _ => Errno::Io,
            }
        };
    }
    known! {
        ACCESS => Acces,
        AGAIN => Again,
        BADF => Badf,
        BUSY => Busy,
        CANCELED => Canceled,
        DEADLK => Deadlk,
        DQUOT => Dquot,
        EXIST => Exist,
        FAULT => Fault,
        FBIG => Fbig,
        ILSEQ => Ilseq,
        INTR => Intr,
        INVAL => Inval,
        IO => Io,
        ISDIR => Isdir,
        LOOP => Loop,
        MFILE => Mfile,
        MLINK => Mlink,
        NAMETOOLONG => Nametoolong,
        NFILE => Nfile,
        NOBUFS => Nobufs,
        NODEV => Nodev,
        NOENT => Noent,
        NOLCK => Nolck,
        NOMEM => Nomem,
        NOSPC => Nospc,
        NOSYS => Nosys,
        NOTDIR => Notdir,
        NOTEMPTY => Notempty,
        NOTSUP => Notsup,
        NOTTY => Notty,
        NXIO => Nxio,
        OVERFLOW => Overflow,
        PERM => Perm,
        PIPE => Pipe,
        RANGE => Range,
        ROFS => Rofs,
        SPIPE => Spipe,
        STALE => Stale,
        TIMEDOUT => Timedout,
        TXTBSY => Txtbsy,
        XDEV => Xdev,
    }
}
