//! How a function of WASI fails.

use std::io;

use wasmtime_wasi::p1::types::Errno;
use wiggle::GuestError;

/// Why a function of WASI did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The guest gets this number and goes on.
    Errno(Errno),
    /// The guest ends with this error.
    End(wasmtime::Error),
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// A value that an enumeration or a set of flags does not have is `EINVAL`, and a pointer that leads
/// out of the memory is `EFAULT`, as POSIX has both. wasmtime-wasi ends the guest
/// (bytecodealliance/wasmtime#7116).
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
            // Made by cap-std, where a path would lead out of its folder, among others.
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

/// The number that WASI has for one of the system's.
fn system(errno: rustix::io::Errno) -> Errno {
    macro_rules! known {
        ($($system:ident => $wasi:ident,)*) => {
            match errno {
                $(rustix::io::Errno::$system => Errno::$wasi,)*
                // Has the number of another one on some systems.
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
