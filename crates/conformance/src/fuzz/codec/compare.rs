//! Runs a case: by the codec, by wasmtime's dynamic values, and by the second statement of the canonical ABI.

use anyhow::{Context as _, Result, ensure};
use ext_wasm::wasmtime::component::Val;
use std::sync::PoisonError;

use super::Tally;
use super::abi::{Core, Memory, alignment, elem_size, has_pointers, record_size};
use super::case::{Case, Damage};
use super::engines::{Ended, Engines, Exchange, Exchanged, Guest};
use super::guest::{AREA, HEAP, MEMORY, RESULT};

/// Where the bytes of values begin in the area. In front of it are core values.
const VALUES: usize = 256;

/// Runs a case.
///
/// # Errors
/// What is not as it must be.
pub fn compare(case: &Case) -> Result<Tally> {
    let source = case.signature.component();
    let binary = wat::parse_str(&source).with_context(|| source.clone())?;
    let engines = Engines::new(&binary).with_context(|| source.clone())?;
    let mut run = Run {
        case,
        engines,
        shared: Exchanged::default(),
        tally: Tally {
            cases: 1,
            ..Tally::default()
        },
    };
    let ran = run.all(&binary);
    ran.with_context(|| format!("{case:?}\n{source}"))?;
    Ok(run.tally)
}

struct Run<'a> {
    case: &'a Case,
    engines: Engines,
    shared: Exchanged,
    tally: Tally,
}

impl Run<'_> {
    fn all(&mut self, binary: &[u8]) -> Result<()> {
        self.lower().context("arguments")?;
        self.images().context("images")?;
        self.lift().context("results")?;
        self.import().context("an import")?;
        self.echo().context("an import and a result")?;
        for flip in &self.case.flips {
            let mut binary = binary.to_vec();
            let length = binary.len();
            flip.apply(&mut binary, length);
            match self.engines.run_damaged(&binary)? {
                true => self.tally.alone += 1,
                false => self.tally.invalid += 1,
            }
        }
        Ok(())
    }

    fn exchange(&self, returns: Option<&Val>) {
        let got = Vec::new();
        let returns = returns.cloned();
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Exchange { got, returns };
    }

    fn got(&self) -> Vec<Val> {
        let mut exchange = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut exchange.got)
    }

    /// The memory of the guest, as the second statement of the canonical ABI sees it.
    fn memory(&self, bytes: Vec<u8>) -> Memory {
        let next = bytes.len();
        Memory::new(bytes, next, self.case.signature.encoding)
    }

    /// The arguments that the guest has got, from its memory.
    fn taken(&self, bytes: Vec<u8>) -> Result<Vec<Val>> {
        let signature = &self.case.signature;
        let flat = signature.flat_params().into_iter().enumerate();
        let flat: Vec<u64> = flat
            .map(|(index, core)| bits_at(&bytes, 8 * index, core))
            .collect();
        let memory = self.memory(bytes);
        let values = match signature.params_are_in_memory() {
            true => memory.load_all(&signature.params, flat[0] as u32),
            false => memory.lift_flat_all(&signature.params, &flat),
        };
        values.map_err(|trapped| anyhow::anyhow!("the guest has got no values: {trapped:?}"))
    }

    fn lower(&mut self) -> Result<()> {
        let mut ours = self.engines.ours(&self.shared)?;
        let called = ours.call("take", &self.case.args);
        ensure!(called == Ok(None), "{called:?}");
        let bytes = ours.memory(MEMORY)?;
        self.check_flat(&bytes)?;
        let taken = self.taken(bytes)?;
        ensure!(taken == self.case.args, "the guest has got {taken:?}");
        self.tally.values += 1;
        Ok(())
    }

    /// Checks the core values that the guest has got, to the last bit, unless there are addresses among them.
    fn check_flat(&self, bytes: &[u8]) -> Result<()> {
        let signature = &self.case.signature;
        let types = &signature.params;
        let flat = signature.flat_params().into_iter().enumerate();
        let flat: Vec<u64> = flat
            .map(|(index, core)| bits_at(bytes, 8 * index, core))
            .collect();
        if signature.params_are_in_memory() {
            let align = types.iter().map(alignment).fold(1, u32::max);
            let is_aligned = flat[0].is_multiple_of(align.into());
            ensure!(
                is_aligned,
                "parameters at {}, which is not aligned",
                flat[0]
            );
        } else if !types.iter().any(has_pointers) {
            let mut memory = self.area();
            let pairs = types.iter().zip(&self.case.args);
            let expected: Vec<u64> = pairs
                .flat_map(|(ty, value)| memory.lower_flat(ty, value))
                .collect();
            ensure!(
                flat == expected,
                "core values {flat:x?} and not {expected:x?}"
            );
        }
        Ok(())
    }

    /// Images that the case writes itself: as they should be, with bytes that are left over, and damaged.
    fn images(&mut self) -> Result<()> {
        if !self.engines.ours(&self.shared)?.has_images() {
            return Ok(());
        }
        self.tally.images += 1;
        let types = &self.case.signature.params;
        let image = Memory::image(types, &self.case.args, 0);
        let whole = self
            .accepted(&image)?
            .context("a whole image was refused")?;
        let left_over = Memory::image(types, &self.case.args, 0xa5);
        let other = self.accepted(&left_over)?;
        ensure!(
            other.as_ref() == Some(&whole),
            "the guest sees what is left over in an image"
        );
        let taken = self.taken(whole)?;
        ensure!(taken == self.case.args, "the guest has got {taken:?}");
        for (index, damages) in self.case.damages.iter().enumerate() {
            let mut image = image.clone();
            let length = image.len();
            apply(damages, &mut image, length);
            match index % 3 {
                1 => image.truncate(image.len().saturating_sub(damages.len())),
                2 => image.extend_from_slice(&[0; 9][..damages.len()]),
                _ => {}
            }
            let Some(got) = self.accepted(&image)? else {
                self.tally.refused += 1;
                continue;
            };
            // What fits are values, and the guest has got these values and nothing else.
            let values = self.taken(got.clone())?;
            let expected = self.accepted(&Memory::image(types, &values, 0))?;
            ensure!(
                expected == Some(got),
                "the guest has got other bytes than those of {values:?}"
            );
            self.tally.values += 1;
        }
        Ok(())
    }

    /// The memory of a guest that has got the arguments in an image; `None` if the image was refused.
    fn accepted(&self, image: &[u8]) -> Result<Option<Vec<u8>>> {
        let ours = self.engines.ours(&self.shared)?;
        match ours.take_image(image)? {
            true => Ok(Some(ours.memory(MEMORY)?)),
            false => {
                // It can still be used.
                let bytes = ours.memory(1)?;
                ensure!(bytes == [0], "the guest was entered");
                Ok(None)
            }
        }
    }

    /// The bytes of the area with the result, and how many of them are in use.
    fn area_of_result(&self) -> (Vec<u8>, usize) {
        let signature = &self.case.signature;
        let mut memory = self.area();
        let at = match signature.flat_result() {
            Some(_) => memory.lower_flat(signature.result(), &self.case.result)[0],
            None => {
                let size = elem_size(signature.result()) as usize;
                let at = memory.allocate(size, alignment(signature.result()));
                memory.store(signature.result(), &self.case.result, at);
                at.into()
            }
        };
        finish(memory.bytes, &[at])
    }

    /// The same with the arguments of the import.
    fn area_of_arguments(&self) -> (Vec<u8>, usize) {
        let signature = &self.case.signature;
        let types = &signature.params;
        let mut memory = self.area();
        let flat: Vec<u64> = match signature.params_are_in_memory() {
            true => {
                let align = types.iter().map(alignment).fold(1, u32::max);
                let at = memory.allocate(record_size(types) as usize, align);
                memory.store_all(types, &self.case.args, at);
                vec![at.into()]
            }
            false => {
                let pairs = types.iter().zip(&self.case.args);
                pairs
                    .flat_map(|(ty, value)| memory.lower_flat(ty, value))
                    .collect()
            }
        };
        finish(memory.bytes, &flat)
    }

    fn area(&self) -> Memory {
        Memory::new(vec![0; VALUES], VALUES, self.case.signature.encoding)
    }

    fn lift(&mut self) -> Result<()> {
        let (area, used) = self.area_of_result();
        if area.len() > AREA as usize {
            return Ok(());
        }
        let whole = self.on_both(&area, "give")?;
        let expected = Ok((Some(self.case.result.clone()), Vec::new()));
        ensure!(whole == expected, "{whole:?} and not {expected:?}");
        self.tally.values += 1;
        for damages in &self.case.damages {
            let mut area = area.clone();
            apply(damages, &mut area, used);
            let got = self.on_both(&area, "give")?;
            let expected = self.given(&area);
            if let Ok((Some(value), _)) = &got {
                self.image_of_result(&area, value)?;
            }
            self.count(&got, expected.map(|value| (Some(value), Vec::new())))?;
        }
        Ok(())
    }

    /// Checks that bytes of the guest make the same image as the value that they are.
    fn image_of_result(&self, area: &[u8], value: &Val) -> Result<()> {
        let mut ours = self.engines.ours(&self.shared)?;
        if !ours.has_images() {
            return Ok(());
        }
        let bytes = Val::List(area.iter().map(|byte| Val::U8(*byte)).collect());
        let set = ours.call("set", &[bytes]);
        ensure!(set == Ok(None), "{set:?}");
        let got = ours.give_image()?;
        let ty = std::slice::from_ref(self.case.signature.result());
        let expected = Memory::image(ty, std::slice::from_ref(value), 0);
        ensure!(got == expected, "the image {got:?} and not {expected:?}");
        Ok(())
    }

    /// The result that bytes are by the second statement of the canonical ABI.
    fn given(&self, area: &[u8]) -> Option<Val> {
        let ty = self.case.signature.result();
        let memory = self.memory(guest_memory(area));
        let given = match self.case.signature.flat_result() {
            Some(core) => memory.lift_flat(ty, &mut [bits_at(&memory.bytes, 0, core)].into_iter()),
            None => {
                let at = bits_at(&memory.bytes, 0, Core::I32) as u32;
                if !at.is_multiple_of(alignment(ty)) {
                    return None;
                }
                memory.load(ty, at)
            }
        };
        given.ok()
    }

    fn import(&mut self) -> Result<()> {
        let (area, used) = self.area_of_arguments();
        if area.len() > AREA as usize {
            return Ok(());
        }
        let whole = self.on_both(&area, "relay")?;
        let expected = Ok((None, self.case.args.clone()));
        ensure!(whole == expected, "{whole:?} and not {expected:?}");
        self.tally.values += 1;
        for damages in &self.case.damages {
            let mut area = area.clone();
            apply(damages, &mut area, used);
            let got = self.on_both(&area, "relay")?;
            let expected = self.passed(&area);
            self.count(&got, expected.map(|values| (None, values)))?;
        }
        Ok(())
    }

    /// The arguments that bytes are by the second statement of the canonical ABI.
    fn passed(&self, area: &[u8]) -> Option<Vec<Val>> {
        let signature = &self.case.signature;
        let bytes = guest_memory(area);
        let types = &signature.params;
        let align = types.iter().map(alignment).fold(1, u32::max);
        let at = bits_at(&bytes, 0, Core::I32) as u32;
        if signature.params_are_in_memory() && !at.is_multiple_of(align) {
            return None;
        }
        let end = u64::from(at) + u64::from(record_size(types));
        if signature.params_are_in_memory() && end > MEMORY.into() {
            return None;
        }
        self.taken(bytes).ok()
    }

    /// Puts bytes into the area of both engines, and calls a function. Returns the result and what the import got, which
    /// are the same in both, and checks what the guest has got from the import.
    #[expect(clippy::type_complexity, reason = "a result and what an import got")]
    fn on_both(
        &mut self,
        area: &[u8],
        name: &str,
    ) -> Result<std::result::Result<(Option<Val>, Vec<Val>), Ended>> {
        let bytes = Val::List(area.iter().map(|byte| Val::U8(*byte)).collect());
        self.exchange(Some(&self.case.result));
        let mut ours = self.engines.ours(&self.shared)?;
        let set = ours.call("set", std::slice::from_ref(&bytes));
        ensure!(set == Ok(None), "{set:?}");
        let one = ours.call(name, &[]);
        let one = one.map(|result| (result, self.got()));
        if one.is_ok() && name == "relay" {
            self.returned(ours.memory(MEMORY)?)?;
        }
        self.exchange(Some(&self.case.result));
        let mut theirs = self.engines.theirs(&self.shared)?;
        let set = theirs.call("set", &[bytes]);
        ensure!(set == Ok(None), "{set:?}");
        let other = theirs.call(name, &[]);
        let other = other.map(|result| (result, self.got()));
        if one == Err(Ended::TooMany) || other == Err(Ended::TooMany) {
            return Ok(Err(Ended::TooMany));
        }
        ensure!(one == other, "{one:?}, and wasmtime alone has {other:?}");
        Ok(one)
    }

    /// Checks what the import has returned to the guest.
    fn returned(&self, bytes: Vec<u8>) -> Result<()> {
        let signature = &self.case.signature;
        let memory = self.memory(bytes);
        let value = match signature.flat_result() {
            Some(core) => {
                let bits = bits_at(&memory.bytes, RESULT as usize, core);
                memory.lift_flat(signature.result(), &mut [bits].into_iter())
            }
            None => memory.load(signature.result(), RESULT),
        };
        ensure!(
            value.as_ref() == Ok(&self.case.result),
            "the guest has got {value:?}"
        );
        Ok(())
    }

    /// Counts the outcome of damaged bytes, which has to be what is expected.
    fn count<T: PartialEq + std::fmt::Debug>(
        &mut self,
        got: &std::result::Result<T, Ended>,
        expected: Option<T>,
    ) -> Result<()> {
        match got {
            Err(Ended::TooMany) => {}
            Err(Ended::Trapped) => {
                ensure!(expected.is_none(), "a trap, and not {expected:?}");
                self.tally.trapped += 1;
            }
            Ok(value) => {
                ensure!(
                    expected.as_ref() == Some(value),
                    "{value:?} and not {expected:?}"
                );
                self.tally.values += 1;
            }
        }
        Ok(())
    }

    fn echo(&mut self) -> Result<()> {
        self.exchange(Some(&self.case.result));
        let mut ours = self.engines.ours(&self.shared)?;
        let called = ours.call("echo", &self.case.args);
        ensure!(
            called.as_ref() == Ok(&Some(self.case.result.clone())),
            "{called:?}"
        );
        let got = self.got();
        ensure!(got == self.case.args, "the import has got {got:?}");
        self.tally.values += 1;
        Ok(())
    }
}

fn apply(damages: &[Damage], bytes: &mut [u8], length: usize) {
    for damage in damages {
        damage.apply(bytes, length);
    }
}

/// Puts core values in front of the bytes of values. Returns the number of bytes that are in use, too.
fn finish(mut bytes: Vec<u8>, flat: &[u64]) -> (Vec<u8>, usize) {
    for (index, bits) in flat.iter().enumerate() {
        bytes[8 * index..][..8].copy_from_slice(&bits.to_le_bytes());
    }
    let used = bytes.len();
    (bytes, used)
}

/// The memory of the guest after `set`, which has got the bytes as a list.
fn guest_memory(area: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; MEMORY as usize];
    bytes[..area.len()].copy_from_slice(area);
    bytes[HEAP as usize..][..area.len()].copy_from_slice(area);
    bytes
}

/// The bits of a core value at a place.
fn bits_at(bytes: &[u8], at: usize, core: Core) -> u64 {
    let size = match core {
        Core::I32 | Core::F32 => 4,
        Core::I64 | Core::F64 => 8,
    };
    let mut bits = [0; 8];
    bits[..size].copy_from_slice(&bytes[at..][..size]);
    u64::from_le_bytes(bits)
}
