//! Compilation of components.

use std::sync::Arc;

use wasmtime::component::Component;

use super::compiler::{Compiler, SMALL};
use crate::runtime::admission::{self, ComponentProfile};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::Checks;
use crate::runtime::base::text;
use crate::runtime::component::types::Interface;
use crate::runtime::component::validation::{Refusal, validate};
use crate::runtime::component::{ComponentCode, ComponentInterface};
use crate::runtime::engine::{EngineKind, parallel_compile};

impl Compiler {
    /// Checks the format of a component's source before it is copied.
    ///
    /// # Errors
    /// `CompileError` if it is another kind of file.
    pub(crate) fn check_component_format(&self, source: &[u8]) -> Result<(), WasmError> {
        admission::check_component_format(source)
    }

    /// Compiles a component in the binary or the text format. Code of the same component that is in use is returned
    /// without a compilation.
    ///
    /// # Errors
    /// `CompileError` if the component is malformed, invalid, exceeds a limit, or uses a feature that is off.
    pub(crate) fn compile_component(&self, source: &[u8]) -> Result<Arc<ComponentCode>, WasmError> {
        let _span = tracing::debug_span!("compile component", bytes = source.len()).entered();
        let wasm = admission::encode_component(source, self.limits())?;
        let hash = self.cache().hash(&wasm);
        // The limits of this state may be lower than those of the state that compiled the code.
        let mut profile = ComponentProfile::check(&wasm, self.limits())?;
        if let Some(code) = self.cache().find_component(hash, &wasm) {
            code.check_limits(self.limits())?;
            self.prepare_component(&code, self.checks())?;
            return Ok(code);
        }
        let (kind, interface) = self.valid_interface(&wasm, &mut profile)?;
        let code = ComponentCode::new(&wasm, profile, kind, interface);
        self.prepare_component(&code, self.checks())?;
        tracing::debug!(bytes = wasm.len(), "compiled a component");
        Ok(self.cache().add_component(hash, code))
    }

    /// Returns the imports and exports of a component in the binary or the text format.
    ///
    /// # Errors
    /// As [`Compiler::compile_component`].
    pub(crate) fn component_interface(
        &self,
        source: &[u8],
    ) -> Result<ComponentInterface, WasmError> {
        let wasm = admission::encode_component(source, self.limits())?;
        let mut profile = ComponentProfile::check(&wasm, self.limits())?;
        let (_, interface) = self.valid_interface(&wasm, &mut profile)?;
        Ok(ComponentInterface::new(Arc::new(interface)))
    }

    /// Validates a component. Returns the kind of the engines that it needs, and its interface.
    fn valid_interface(
        &self,
        wasm: &[u8],
        profile: &mut ComponentProfile,
    ) -> Result<(EngineKind, Interface), WasmError> {
        validate(wasm, profile, self.limits()).map_err(|refusal| match refusal {
            Refusal::Invalid(error) => admission::invalid_component(&error),
            Refusal::Limit(error) => error,
        })
    }

    /// Returns the code for a source that [`compile_component`](Compiler::compile_component) does not need to compile,
    /// if that is known at once.
    pub(crate) fn find_small_component(&self, source: &[u8]) -> Option<Arc<ComponentCode>> {
        if source.len() > SMALL {
            return None;
        }
        let code = self
            .cache()
            .find_component(self.cache().hash(source), source)?;
        ComponentProfile::check(source, self.limits()).ok()?;
        code.check_limits(self.limits()).ok()?;
        code.is_ready(self.checks()).then_some(code)
    }

    /// Compiles `code` for stores with these checks, unless it is compiled.
    ///
    /// # Errors
    /// As [`Compiler::compile_component`].
    pub(crate) fn prepare_component(
        &self,
        code: &ComponentCode,
        checks: Checks,
    ) -> Result<(), WasmError> {
        if code.is_ready(checks) {
            return Ok(());
        }
        let engine = self.cache().engines().of_kind(code.kind, checks)?;
        let usual = parallel_compile::usual();
        let functions = code.profile.parallel_functions(self.limits(), usual);
        let component = parallel_compile::with_at_most(functions, || {
            Component::from_binary(engine, code.wasm())
        })?;
        let component =
            component.map_err(|error| match error.downcast_ref::<wasmparser::Error>() {
                Some(found) => admission::invalid_component(found),
                None => WasmError::compile(text::one_line(&error)),
            })?;
        code.add(component, checks)
    }
}
