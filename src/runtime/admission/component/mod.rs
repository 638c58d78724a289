//! The content and cost of a component: those of the modules in it, and of its own instantiations.

mod expansion;

use wasmparser::{Encoding, Parser, Payload};

use self::expansion::{Definitions, Expansion};
use super::cost::Bound;
use super::profile::{ModuleProfile, bound, exceeds_of};
use super::walk::Walk;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;

/// The content and cost of a component that does not exceed the limits.
#[derive(Debug, Default)]
pub(crate) struct ComponentProfile {
    /// An upper bound on the number of memories with initial contents, in all of its modules.
    pub(crate) images: u32,
    /// The maximum number of bytes by which the shared memories of one instance may grow.
    pub(crate) shared_growth: u64,
    /// Whether a module in it waits on shared memory: see [`ModuleProfile::waits`].
    pub(crate) waits: bool,
    /// The number of module instances in one instance.
    pub(crate) core_instances: u32,
    /// The number of instances of each component in the binary, the root first.
    instances_of: Vec<u32>,
    all: ModuleProfile,
}

/// The time and memory for an item of an instance that an instantiation gets, in nanoseconds and bytes.
const PASSED_ITEM_NS: u64 = 250;
const PASSED_ITEM_BYTES: u64 = 150;

/// A part of a binary that the parser is in.
enum Part {
    Module,
    Component,
}

impl ComponentProfile {
    /// Analyses a binary, and checks it against the limits.
    ///
    /// A component that is not valid may pass: the analysis ends at its first error.
    ///
    /// # Errors
    /// `CompileError` if the component, or a module in it, exceeds a limit.
    pub(crate) fn check(wasm: &[u8], limits: &ModuleLimits) -> Result<Self, WasmError> {
        let (definitions, modules) = read(wasm, limits)?;
        let expansion = Expansion::of(&definitions, modules.len(), limits)?;
        let mut all = ModuleProfile::in_component(wasm);
        let mut this = Self {
            core_instances: expansion.core_instances,
            instances_of: expansion.instances_of_components,
            ..Self::default()
        };
        let bound: Bound = bound(limits, wasm.len() as u64);
        for (index, module) in modules.iter().enumerate() {
            let profile = Walk::nested(bound).through(module, module.len() as u64);
            profile.check_nested(index, limits)?;
            let instances = u64::from(expansion.instances_of[index]);
            let growth = profile.shared_growth.saturating_mul(instances);
            this.shared_growth = this.shared_growth.saturating_add(growth);
            this.images = this.images.saturating_add(profile.images());
            this.waits |= profile.waits;
            all.add(&profile);
        }
        all.add_items(expansion.items);
        let passed = expansion.passed_items;
        all.add_cost(
            passed.saturating_mul(PASSED_ITEM_NS),
            passed.saturating_mul(PASSED_ITEM_BYTES),
        );
        all.check_component(limits)?;
        this.all = all;
        Ok(this)
    }

    /// Returns the number of instances of a component, by its number in the binary: 0 is the root.
    pub(crate) fn instances_of(&self, component: usize) -> u32 {
        self.instances_of.get(component).copied().unwrap_or(0)
    }

    /// Adds to the time, in nanoseconds, and memory, in bytes, for the compilation.
    pub(crate) fn add_cost(&mut self, ns: u64, bytes: u64) {
        self.all.add_cost(ns, bytes);
    }

    /// Checks the sum of the costs.
    ///
    /// # Errors
    /// `CompileError` if it exceeds a limit.
    pub(crate) fn check_cost(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.all.check_component_cost(limits)
    }
}

/// Reads the definitions of a component, up to its first error, and the modules in it.
fn read<'a>(
    wasm: &'a [u8],
    limits: &ModuleLimits,
) -> Result<(Definitions<'a>, Vec<&'a [u8]>), WasmError> {
    let mut definitions = Definitions::default();
    let mut modules = Vec::new();
    // The modules and components that the parser is in, below the root.
    let mut open: Vec<Part> = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        if let Some(Part::Module) = open.last() {
            if let Payload::End(_) = payload {
                open.pop();
            }
            continue;
        }
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => break,
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                let Some(module) = wasm.get(unchecked_range) else {
                    break;
                };
                modules.push(module);
                let cap = limits.max_component_modules;
                if modules.len() as u64 > cap {
                    let has = format_args!("has more than {cap} modules");
                    return Err(exceeds_of("component", has, cap, "max_component_modules"));
                }
                definitions.module();
                open.push(Part::Module);
            }
            Payload::ComponentSection { .. } => {
                open.push(Part::Component);
                let (depth, cap) = (open.len() as u64, limits.max_component_nesting);
                if depth > cap {
                    let has = format_args!("has {depth} nested components");
                    return Err(exceeds_of("component", has, cap, "max_component_nesting"));
                }
                definitions.begin_component();
            }
            Payload::End(_) => {
                if open.pop().is_none() {
                    break;
                }
                definitions.end_component();
            }
            payload => {
                if definitions.section(payload).is_none() {
                    break;
                }
            }
        }
    }
    Ok((definitions, modules))
}
