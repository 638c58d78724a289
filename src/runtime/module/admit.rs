//! Decides whether a module is compiled.

#[cfg(test)]
mod tests;

use wasmtime::Module;

use super::compiler::Compiler;
use crate::runtime::admission::{self, ModuleProfile};
use crate::runtime::base::error::WasmError;
use crate::runtime::rewrite::{StandardModule, standard_exceptions, validate_legacy};

/// The maximum size of a binary that may be compiled without being validated as a whole before, in bytes, and the
/// maximum estimate of the time that its compilation takes.
///
/// For such a module, to read it twice more takes a tenth of the time that its compilation takes, and the compiler finds
/// out soon enough that it is not valid.
const QUICK_BYTES: usize = 64 << 10;
const QUICK_NS: u64 = 250_000_000;

/// A module that may be compiled.
pub(super) struct Admitted {
    pub profile: ModuleProfile,
    /// The module without legacy exceptions, if it has any.
    pub standard: Option<StandardModule>,
    /// Whether the whole module was validated.
    pub is_validated: bool,
}

impl Admitted {
    /// A module that was validated before, and had this profile.
    ///
    /// # Errors
    /// As [`standard_exceptions`].
    pub(super) fn known(profile: ModuleProfile, wasm: &[u8]) -> Result<Self, WasmError> {
        let standard = match profile.legacy_exceptions {
            true => Some(standard_exceptions(wasm)?),
            false => None,
        };
        Ok(Self {
            profile,
            standard,
            is_validated: true,
        })
    }
}

impl Compiler {
    /// Validates a module and checks its content and its cost.
    ///
    /// # Errors
    /// `CompileError` if the module is invalid, exceeds a limit, or uses a feature that is off. If the returned module is
    /// not validated, its compilation may still find out that it is invalid.
    pub(super) fn admit(&self, wasm: &[u8]) -> Result<Admitted, WasmError> {
        let estimate = (wasm.len() <= QUICK_BYTES).then(|| ModuleProfile::of(wasm, &self.limits));
        let estimate = match estimate {
            Some(profile) if self.is_quick(&profile) => {
                return Ok(Admitted {
                    profile,
                    standard: None,
                    is_validated: false,
                });
            }
            other => other,
        };
        // To count the content of bodies takes longer than to validate them.
        let sections = ModuleProfile::sections_of(wasm);
        let is_valid = sections.check_counts(&self.limits).is_ok()
            && sections.may_be_validated_with_any_bodies(&self.limits)
            && self.validate_whole(wasm).is_ok();
        if !is_valid {
            return self.admit_step_by_step(wasm);
        }
        let profile = estimate.unwrap_or_else(|| ModuleProfile::of(wasm, &self.limits));
        if profile.legacy_exceptions {
            return self.admit_step_by_step(wasm);
        }
        if let Err(error) = self.check(&profile) {
            // The analysis of a module that costs too much ends before the last body.
            ModuleProfile::content_of(wasm).check_counts(&self.limits)?;
            return Err(error);
        }
        Ok(Admitted {
            profile,
            standard: None,
            is_validated: true,
        })
    }

    /// As [`Compiler::admit`], of any module. Each step is one that the steps before it have shown to be short.
    fn admit_step_by_step(&self, wasm: &[u8]) -> Result<Admitted, WasmError> {
        let content = ModuleProfile::content_of(wasm);
        self.check_features(&content)?;
        content.check_counts(&self.limits)?;
        // The compiler validates each function when it comes to it, which may be after minutes.
        let standard = match (
            content.may_be_validated(&self.limits),
            content.legacy_exceptions,
        ) {
            (false, _) => None,
            (true, false) => {
                self.validate_whole(wasm)?;
                None
            }
            (true, true) => {
                let (standard, content) = self.rewrite(wasm)?;
                if content.may_be_validated(&self.limits) {
                    self.validate_rewritten(wasm, &standard)?;
                }
                Some(standard)
            }
        };
        let profile = match &standard {
            None => ModuleProfile::of(wasm, &self.limits),
            Some(standard) => ModuleProfile::of_standard(&standard.wasm, wasm.len(), &self.limits),
        };
        self.check(&profile)?;
        Ok(Admitted {
            profile,
            standard,
            is_validated: true,
        })
    }

    /// Whether a module is within the limits, and so quick to compile that it is not validated before.
    fn is_quick(&self, profile: &ModuleProfile) -> bool {
        !profile.legacy_exceptions
            && profile.compiles_within(QUICK_NS)
            && self.check(profile).is_ok()
    }

    /// Checks the content and the cost of a module.
    ///
    /// # Errors
    /// `CompileError` if it exceeds a limit, or has legacy exceptions and may not have them.
    pub(super) fn check(&self, profile: &ModuleProfile) -> Result<(), WasmError> {
        self.check_features(profile)?;
        profile.check(&self.limits)
    }

    /// Checks that a module has no feature that is not allowed.
    ///
    /// # Errors
    /// `CompileError` if it has legacy exceptions and may not have them.
    pub(super) fn check_features(&self, content: &ModuleProfile) -> Result<(), WasmError> {
        if content.legacy_exceptions && !self.allow_legacy_exceptions {
            return Err(WasmError::compile(
                "the module has legacy exceptions, which are not allowed (allow_legacy_exceptions)",
            ));
        }
        Ok(())
    }

    /// Validates a whole module without legacy exceptions.
    ///
    /// # Errors
    /// `CompileError` if it is not valid.
    pub(super) fn validate_whole(&self, wasm: &[u8]) -> Result<(), WasmError> {
        let engine = self.cache.engines().get(self.checks)?;
        Module::validate(engine, wasm).map_err(|error| admission::invalid(wasm, &error))
    }

    /// Validates a module by the rules for legacy exceptions. Returns it without them, and its content then, which may
    /// take many more steps to validate: each handler is a block, whose parameters may be a thousand.
    ///
    /// # Errors
    /// `CompileError` if it is not valid, or exceeds a limit on its content.
    pub(super) fn rewrite(
        &self,
        wasm: &[u8],
    ) -> Result<(StandardModule, ModuleProfile), WasmError> {
        validate_legacy(wasm)
            .map_err(|error| admission::invalid_at(wasm, &error, error.offset()))?;
        let standard = standard_exceptions(wasm)?;
        let content = ModuleProfile::content_of_standard(&standard.wasm, wasm.len());
        // Before the validator, whose limits have no names.
        content.check_counts(&self.limits)?;
        Ok((standard, content))
    }

    /// Validates a [rewritten](Compiler::rewrite) module by the rules of the engine, which may have other features off.
    ///
    /// # Errors
    /// `CompileError` if it is not valid.
    pub(super) fn validate_rewritten(
        &self,
        wasm: &[u8],
        standard: &StandardModule,
    ) -> Result<(), WasmError> {
        let engine = self.cache.engines().get(self.checks)?;
        Module::validate(engine, &standard.wasm).map_err(|error| {
            match error.downcast_ref::<wasmparser::Error>() {
                Some(found) => {
                    admission::invalid_at(wasm, found, standard.offsets.original(found.offset()))
                }
                None => admission::invalid(wasm, &error),
            }
        })
    }
}
