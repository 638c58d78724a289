//! The WASI functions, by name.

use wasmtime::{Caller, Linker};
use wasmtime_wasi::I32Exit;

use super::call;
use crate::runtime::store::StoreData;
use crate::runtime::wasi::call::Preview;

/// Adds the functions of both previews to the linker, under the module names in [`super::WASI_MODULES`].
pub(crate) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    for (module, preview) in super::WASI_MODULES
        .into_iter()
        .zip([Preview::One, Preview::Zero])
    {
        macro_rules! add {
            ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
                linker.func_wrap(
                    module,
                    stringify!($name),
                    move |mut caller: Caller<'_, StoreData>, $($arg: $ty),*| {
                        call::call_sync(&mut caller, preview, |call| call.$name($($arg),*))
                    },
                )?;
            )*};
        }
        macro_rules! add_waiting {
            ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
                linker.func_wrap(
                    module,
                    stringify!($name),
                    move |mut caller: Caller<'_, StoreData>, $($arg: $ty),*| {
                        call::call_async(&mut caller, preview, async |call| {
                            call.$name($($arg),*).await
                        })
                    },
                )?;
            )*};
        }
        add! {
            args_get(list: u32, strings: u32);
            args_sizes_get(count: u32, size: u32);
            clock_res_get(clock: u32, to: u32);
            clock_time_get(clock: u32, precision: u64, to: u32);
            environ_get(list: u32, strings: u32);
            environ_sizes_get(count: u32, size: u32);
            fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
            fd_allocate(fd: u32, offset: u64, len: u64);
            fd_close(fd: u32);
            fd_datasync(fd: u32);
            fd_fdstat_get(fd: u32, to: u32);
            fd_fdstat_set_flags(fd: u32, flags: u32);
            fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
            fd_filestat_get(fd: u32, to: u32);
            fd_filestat_set_size(fd: u32, size: u64);
            fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, set: u32);
            fd_prestat_dir_name(fd: u32, to: u32, len: u32);
            fd_prestat_get(fd: u32, to: u32);
            fd_readdir(fd: u32, to: u32, len: u32, cookie: u64, used: u32);
            fd_renumber(fd: u32, other: u32);
            fd_seek(fd: u32, offset: i64, whence: u32, to: u32);
            fd_sync(fd: u32);
            fd_tell(fd: u32, to: u32);
            path_create_directory(fd: u32, path: u32, len: u32);
            path_filestat_get(fd: u32, lookup: u32, path: u32, len: u32, to: u32);
            path_filestat_set_times(
                fd: u32, lookup: u32, path: u32, len: u32, accessed: u64, modified: u64, set: u32
            );
            path_link(
                fd: u32, lookup: u32, path: u32, len: u32, other: u32, new: u32, new_len: u32
            );
            path_readlink(fd: u32, path: u32, len: u32, to: u32, to_len: u32, used: u32);
            path_remove_directory(fd: u32, path: u32, len: u32);
            path_rename(fd: u32, path: u32, len: u32, other: u32, new: u32, new_len: u32);
            path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32);
            path_unlink_file(fd: u32, path: u32, len: u32);
            proc_raise(signal: u32);
            random_get(to: u32, len: u32);
            sched_yield();
            sock_recv(fd: u32, iovs: u32, count: u32, flags: u32, read: u32, answer: u32);
            sock_send(fd: u32, iovs: u32, count: u32, flags: u32, written: u32);
            sock_shutdown(fd: u32, how: u32);
        }
        add_waiting! {
            fd_pread(fd: u32, iovs: u32, count: u32, offset: u64, read: u32);
            fd_pwrite(fd: u32, iovs: u32, count: u32, offset: u64, written: u32);
            fd_read(fd: u32, iovs: u32, count: u32, read: u32);
            fd_write(fd: u32, iovs: u32, count: u32, written: u32);
            path_open(
                fd: u32, lookup: u32, path: u32, len: u32, how: u32, rights: u64,
                inheriting: u64, flags: u32, to: u32
            );
            poll_oneoff(subscriptions: u32, events: u32, count: u32, to: u32);
        }
        if preview == Preview::One {
            add! {
                sock_accept(fd: u32, flags: u32, to: u32);
            }
        }
        linker.func_wrap(module, "proc_exit", exit)?;
    }
    Ok(())
}

/// `proc_exit`. It accepts every status, as `exit(-1)` is common. wasmtime-wasi refuses a status of 126 or more,
/// because shells give these a meaning (WebAssembly/WASI#551).
fn exit(status: i32) -> wasmtime::Result<()> {
    Err(I32Exit(status).into())
}
