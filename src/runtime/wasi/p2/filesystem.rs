//! `wasi:filesystem`.
//!
//! A descriptor of the process is counted for each opened file or folder, and for each stream of one: a stream keeps its
//! file open.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    ErrorCode as AsynchronousCode, Host as AsynchronousHost, HostDescriptor as Asynchronous,
};
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult, IoError};

use super::listing::Listing;
use super::{Preopened, WasiP2};
use crate::runtime::engine::quota::{DESCRIPTORS, Share};

type Fd = Resource<Descriptor>;

impl WasiP2 {
    /// Waits for an operation on a file or folder.
    ///
    /// # Errors
    /// The error with which the guest has to end, and those of the operation.
    fn wait_for_file<R>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> FsResult<R>,
    ) -> FsResult<R> {
        self.wait(work).map_err(FsError::trap)?
    }

    /// Counts a descriptor of the process for what `open` returns.
    ///
    /// # Errors
    /// `insufficient-memory` if the process has too few left; those of `open`.
    fn counted<T: 'static>(
        &mut self,
        open: impl FnOnce(&mut Self) -> FsResult<Resource<T>>,
    ) -> FsResult<Resource<T>> {
        let share = share()?;
        let opened = open(self)?;
        self.shares.insert(opened.rep(), share);
        Ok(opened)
    }
}

/// Takes a share of the process's descriptors.
///
/// # Errors
/// `insufficient-memory` if the process has too few left.
fn share() -> FsResult<Share> {
    let share = DESCRIPTORS.take(1);
    share.map_err(|_| AsynchronousCode::InsufficientMemory.into())
}

impl preopens::Host for WasiP2 {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let mut all = Vec::with_capacity(self.preopens.len());
        for Preopened { folder, name, .. } in &self.preopens {
            let descriptor = self.table.push(Descriptor::Dir(folder.clone()))?;
            all.push((descriptor, name.clone()));
        }
        Ok(all)
    }
}

impl wasmtime_wasi::p3::bindings::filesystem::preopens::Host for WasiP2 {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        preopens::Host::get_directories(self)
    }
}

impl Host for WasiP2 {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        let code = AsynchronousHost::convert_error_code(&mut self.filesystem(), error)?;
        Ok(code.into())
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<IoError>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let code = AsynchronousHost::filesystem_error_code(&mut self.filesystem(), error)?;
        Ok(code.map(Into::into))
    }
}

/// Defines methods that wait for the asynchronous method with the same name.
macro_rules! waiting {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, fd: Fd $(, $arg: $type)*) -> FsResult<$result> {
            self.wait_for_file(async |wasi| {
                let done = Asynchronous::$name(&mut wasi.filesystem(), fd $(, $arg.into())*).await;
                Ok(done?.into())
            })
        })*
    };
}

impl HostDescriptor for WasiP2 {
    waiting! {
        fn advise(offset: Filesize, length: Filesize, advice: Advice) -> ();
        fn sync_data() -> ();
        fn get_flags() -> DescriptorFlags;
        fn get_type() -> DescriptorType;
        fn set_size(size: Filesize) -> ();
        fn set_times(accessed: NewTimestamp, modified: NewTimestamp) -> ();
        fn read(length: Filesize, offset: Filesize) -> (Vec<u8>, bool);
        fn write(bytes: Vec<u8>, offset: Filesize) -> Filesize;
        fn sync() -> ();
        fn create_directory_at(path: String) -> ();
        fn stat() -> DescriptorStat;
        fn stat_at(flags: PathFlags, path: String) -> DescriptorStat;
        fn set_times_at(flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp) -> ();
        fn link_at(flags: PathFlags, path: String, to: Fd, to_path: String) -> ();
        fn readlink_at(path: String) -> String;
        fn remove_directory_at(path: String) -> ();
        fn rename_at(path: String, to: Fd, to_path: String) -> ();
        fn symlink_at(target: String, path: String) -> ();
        fn unlink_file_at(path: String) -> ();
        fn metadata_hash() -> MetadataHashValue;
        fn metadata_hash_at(flags: PathFlags, path: String) -> MetadataHashValue;
    }

    fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        let folder = match self.table.get(&fd)? {
            Descriptor::Dir(folder) => folder.dir.clone(),
            Descriptor::File(_) => return Err(AsynchronousCode::NotDirectory.into()),
        };
        let share = share()?;
        let listing = self.table.push(Listing::new(folder, share)?)?;
        Ok(Resource::new_own(listing.rep()))
    }

    fn open_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        self.counted(|wasi| {
            wasi.wait_for_file(async |wasi| {
                let mut files = wasi.filesystem();
                let (path_flags, open_flags) = (path_flags.into(), open_flags.into());
                Asynchronous::open_at(&mut files, fd, path_flags, path, open_flags, flags.into())
                    .await
            })
        })
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.shares.remove(&fd.rep());
        Asynchronous::drop(&mut self.filesystem(), fd)
    }

    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        self.counted(|wasi| Asynchronous::read_via_stream(&mut wasi.filesystem(), fd, offset))
    }

    fn write_via_stream(
        &mut self,
        fd: Fd,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.counted(|wasi| Asynchronous::write_via_stream(&mut wasi.filesystem(), fd, offset))
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.counted(|wasi| Asynchronous::append_via_stream(&mut wasi.filesystem(), fd))
    }

    fn is_same_object(&mut self, fd: Fd, other: Fd) -> wasmtime::Result<bool> {
        self.wait(async |wasi| {
            Asynchronous::is_same_object(&mut wasi.filesystem(), fd, other).await
        })?
    }
}

impl HostDirectoryEntryStream for WasiP2 {
    fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let interrupt = self.interrupt.clone();
        let listing = Resource::<Listing>::new_borrow(stream.rep());
        self.table.get_mut(&listing)?.next(&interrupt)
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table
            .delete(Resource::<Listing>::new_own(stream.rep()))?;
        Ok(())
    }
}
