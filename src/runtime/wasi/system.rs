//! The functions for arguments, environment variables, clocks and random numbers.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime_wasi::p1::types::{Clockid, Errno, Signal};

use super::call::Call;
use super::errno::{Failure, Result};

/// The maximum number of random bytes that are generated between two checks for an interrupt.
const RANDOM_CHUNK: u32 = 64 << 10;

impl Call<'_> {
    pub(crate) fn args_get(&mut self, list: u32, strings: u32) -> Result<()> {
        let args = std::mem::take(&mut self.wasi.args);
        let written = self.strings(&args, list, strings);
        self.wasi.args = args;
        written
    }

    pub(crate) fn args_sizes_get(&mut self, count: u32, size: u32) -> Result<()> {
        let sizes = sizes(&self.wasi.args);
        self.memory.set_u32(count, sizes.0)?;
        self.memory.set_u32(size, sizes.1)
    }

    pub(crate) fn environ_get(&mut self, list: u32, strings: u32) -> Result<()> {
        let environment = std::mem::take(&mut self.wasi.environment);
        let written = self.strings(&environment, list, strings);
        self.wasi.environment = environment;
        written
    }

    pub(crate) fn environ_sizes_get(&mut self, count: u32, size: u32) -> Result<()> {
        let sizes = sizes(&self.wasi.environment);
        self.memory.set_u32(count, sizes.0)?;
        self.memory.set_u32(size, sizes.1)
    }

    /// Writes a list of pointers to strings, and the strings, each with a final NUL.
    fn strings(&mut self, all: &[String], list: u32, strings: u32) -> Result<()> {
        let (count, size) = sizes(all);
        self.memory.check(list, u64::from(count) * 4)?;
        self.memory.check(strings, size.into())?;
        let (mut pointer, mut string) = (list, strings);
        for one in all {
            self.memory.set_u32(pointer, string)?;
            self.memory.write(string, one.as_bytes())?;
            string += one.len() as u32;
            self.memory.write(string, &[0])?;
            // The last string may end at the end of the address space.
            (pointer, string) = (pointer.wrapping_add(4), string.wrapping_add(1));
        }
        Ok(())
    }

    pub(crate) fn clock_res_get(&mut self, clock: u32, to: u32) -> Result<()> {
        match Clockid::try_from(clock.cast_signed())? {
            Clockid::Realtime | Clockid::Monotonic => self.memory.set_u64(to, 1),
            Clockid::ProcessCputimeId | Clockid::ThreadCputimeId => Err(Errno::Inval.into()),
        }
    }

    pub(crate) fn clock_time_get(&mut self, clock: u32, _precision: u64, to: u32) -> Result<()> {
        let time = match Clockid::try_from(clock.cast_signed())? {
            Clockid::Realtime => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                now.map_err(|_| Errno::Overflow)?
            }
            // Starts when the WASI state of the store is made.
            Clockid::Monotonic => self.wasi.started.elapsed(),
            Clockid::ProcessCputimeId | Clockid::ThreadCputimeId => {
                return Err(Errno::Inval.into());
            }
        };
        let time = u64::try_from(time.as_nanos()).map_err(|_| Errno::Overflow)?;
        self.memory.set_u64(to, time)
    }

    /// Checks the bounds first. wasmtime-wasi generates all bytes before it does so.
    pub(crate) fn random_get(&mut self, to: u32, len: u32) -> Result<()> {
        self.memory.check(to, len.into())?;
        let mut done = 0;
        while done < len {
            if let Some(due) = self.interrupt.due() {
                return Err(Failure::End(due));
            }
            let piece = RANDOM_CHUNK.min(len - done);
            done += self.memory.fill(to + done, piece, |bytes| {
                getrandom::fill(bytes).map_err(|_| Errno::Io)?;
                Ok(bytes.len())
            })?;
        }
        Ok(())
    }

    pub(crate) fn proc_raise(&mut self, signal: u32) -> Result<()> {
        Signal::try_from(signal.cast_signed())?;
        Err(Errno::Notsup.into())
    }

    pub(crate) fn sched_yield(&mut self) -> Result<()> {
        thread::yield_now();
        Ok(())
    }
}

/// Returns the number of strings, and the number of their bytes, each with a final NUL.
fn sizes(all: &[String]) -> (u32, u32) {
    let size: usize = all.iter().map(|one| one.len() + 1).sum();
    (all.len() as u32, size as u32)
}
