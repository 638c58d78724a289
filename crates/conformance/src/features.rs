//! The WebAssembly features that an engine can have on.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use wasmparser::WasmFeatures;
use wasmtime::Config;

/// A WebAssembly feature that can be on or off, named as its proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    BulkMemory,
    ComponentModel,
    ComponentModelAsync,
    ComponentModelAsyncStackful,
    ComponentModelFixedLengthLists,
    ComponentModelImplements,
    ComponentModelMap,
    ComponentModelMoreAsyncBuiltins,
    ComponentModelThreading,
    CustomPageSizes,
    Exceptions,
    ExtendedConst,
    FunctionReferences,
    Gc,
    Memory64,
    MultiMemory,
    MultiValue,
    MutableGlobal,
    ReferenceTypes,
    RelaxedSimd,
    SaturatingFloatToInt,
    SignExtension,
    Simd,
    TailCall,
    Threads,
    WideArithmetic,
}

impl Feature {
    fn flag(self) -> WasmFeatures {
        match self {
            Feature::BulkMemory => WasmFeatures::BULK_MEMORY,
            Feature::ComponentModel => WasmFeatures::COMPONENT_MODEL,
            Feature::ComponentModelAsync => WasmFeatures::CM_ASYNC,
            Feature::ComponentModelAsyncStackful => WasmFeatures::CM_ASYNC_STACKFUL,
            Feature::ComponentModelFixedLengthLists => WasmFeatures::CM_FIXED_LENGTH_LISTS,
            Feature::ComponentModelImplements => WasmFeatures::CM_IMPLEMENTS,
            Feature::ComponentModelMap => WasmFeatures::CM_MAP,
            Feature::ComponentModelMoreAsyncBuiltins => WasmFeatures::CM_MORE_ASYNC_BUILTINS,
            Feature::ComponentModelThreading => WasmFeatures::CM_THREADING,
            Feature::CustomPageSizes => WasmFeatures::CUSTOM_PAGE_SIZES,
            Feature::Exceptions => WasmFeatures::EXCEPTIONS,
            Feature::ExtendedConst => WasmFeatures::EXTENDED_CONST,
            Feature::FunctionReferences => WasmFeatures::FUNCTION_REFERENCES,
            Feature::Gc => WasmFeatures::GC,
            Feature::Memory64 => WasmFeatures::MEMORY64,
            Feature::MultiMemory => WasmFeatures::MULTI_MEMORY,
            Feature::MultiValue => WasmFeatures::MULTI_VALUE,
            Feature::MutableGlobal => WasmFeatures::MUTABLE_GLOBAL,
            Feature::ReferenceTypes => WasmFeatures::REFERENCE_TYPES,
            Feature::RelaxedSimd => WasmFeatures::RELAXED_SIMD,
            Feature::SaturatingFloatToInt => WasmFeatures::SATURATING_FLOAT_TO_INT,
            Feature::SignExtension => WasmFeatures::SIGN_EXTENSION,
            Feature::Simd => WasmFeatures::SIMD,
            Feature::TailCall => WasmFeatures::TAIL_CALL,
            Feature::Threads => WasmFeatures::THREADS,
            Feature::WideArithmetic => WasmFeatures::WIDE_ARITHMETIC,
        }
    }
}

/// The features that are on; all others are off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Features(BTreeSet<Feature>);

/// A version of the WebAssembly specification, as the set of features that it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
pub enum Version {
    #[serde(rename = "wasm-1.0")]
    #[value(name = "wasm-1.0")]
    V1,
    #[serde(rename = "wasm-2.0")]
    #[value(name = "wasm-2.0")]
    V2,
    #[default]
    #[serde(rename = "wasm-3.0")]
    #[value(name = "wasm-3.0")]
    V3,
}

impl Default for Features {
    /// Those of the latest version of the specification.
    fn default() -> Self {
        Self::of(Version::default())
    }
}

impl Features {
    /// The features of a version of the specification.
    pub fn of(version: Version) -> Self {
        let mut features = BTreeSet::from([Feature::MutableGlobal]);
        if version != Version::V1 {
            features.extend([
                Feature::BulkMemory,
                Feature::MultiValue,
                Feature::ReferenceTypes,
                Feature::SaturatingFloatToInt,
                Feature::SignExtension,
                Feature::Simd,
            ]);
        }
        if version == Version::V3 {
            features.extend([
                Feature::Exceptions,
                Feature::ExtendedConst,
                Feature::FunctionReferences,
                Feature::Gc,
                Feature::Memory64,
                Feature::MultiMemory,
                Feature::RelaxedSimd,
                Feature::TailCall,
            ]);
        }
        Self(features)
    }

    /// The same and these.
    pub fn with(mut self, more: impl IntoIterator<Item = Feature>) -> Self {
        self.0.extend(more);
        self
    }

    /// The same and those of another set.
    pub fn union(self, more: &Self) -> Self {
        self.with(more.0.iter().copied())
    }

    /// Whether all of these are in another set.
    pub fn is_subset(&self, of: &Self) -> bool {
        self.0.is_subset(&of.0)
    }

    /// Whether a feature is on.
    pub fn has(&self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }

    /// The same set in the terms of wasmtime's validator.
    pub fn flags(&self) -> WasmFeatures {
        self.0
            .iter()
            .fold(WasmFeatures::MVP, |flags, feature| flags | feature.flag())
    }

    /// Turns these features of wasmtime on, and all others of Wasm 3.0 and of the component model off.
    pub fn configure(&self, config: &mut Config) {
        const COMPONENTS: WasmFeatures = WasmFeatures::COMPONENT_MODEL
            .union(WasmFeatures::CM_ASYNC)
            .union(WasmFeatures::CM_ASYNC_STACKFUL)
            .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
            .union(WasmFeatures::CM_THREADING)
            .union(WasmFeatures::CM_FIXED_LENGTH_LISTS)
            .union(WasmFeatures::CM_IMPLEMENTS)
            .union(WasmFeatures::CM_MAP);
        let on = self.flags();
        let known = WasmFeatures::WASM3.union(COMPONENTS);
        config
            .concurrency_support(self.has(Feature::ComponentModelAsync))
            .wasm_features(on, true)
            .wasm_features(known.difference(on), false)
            .shared_memory(self.has(Feature::Threads));
    }
}
