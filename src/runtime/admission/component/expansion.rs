//! The expansion of a component: the items that its instantiation makes.
//!
//! A component can instantiate the components in it many times, which can do the same, so that a few hundred bytes
//! make more instances than atoms exist. The compiler expands all of them. So the expansion is carried out here first,
//! without the contents of modules, up to a limit on the number of items.

use std::collections::HashMap;

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Instance, Payload,
};

use crate::runtime::admission::profile::exceeds_of;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;

/// The components of a binary, the root first.
pub(super) struct Definitions<'a> {
    components: Vec<Vec<Step<'a>>>,
    /// The components that are being read, from the root on.
    open: Vec<usize>,
    modules: usize,
}

impl Default for Definitions<'_> {
    fn default() -> Self {
        Self {
            components: vec![Vec::new()],
            open: vec![0],
            modules: 0,
        }
    }
}

/// An item in a component that adds to the index spaces of modules, components or instances; or other items.
enum Step<'a> {
    /// A module, by its number in the binary.
    Module(usize),
    /// A component, by its number in the binary.
    Component(usize),
    Import(&'a str, Kind),
    InstantiateModule(u32),
    Instantiate(u32, Vec<(&'a str, Kind, u32)>),
    /// An instance made of this number of items, of which some are of kinds that the expansion follows.
    Exports(Vec<(&'a str, Kind, u32)>, u64),
    Alias(&'a str, Kind, u32),
    /// An alias of an item in a component around this one: how many components outwards, and its index there.
    Outer(Kind, u32, u32),
    Export(&'a str, Kind, u32),
    /// An export of another kind.
    OtherExport,
    Others(u64),
}

/// A kind of item that the expansion follows.
#[derive(Clone, Copy)]
enum Kind {
    Module,
    Component,
    Instance,
}

fn kind_of(kind: ComponentExternalKind) -> Option<Kind> {
    match kind {
        ComponentExternalKind::Module => Some(Kind::Module),
        ComponentExternalKind::Component => Some(Kind::Component),
        ComponentExternalKind::Instance => Some(Kind::Instance),
        ComponentExternalKind::Func
        | ComponentExternalKind::Value
        | ComponentExternalKind::Type => None,
    }
}

impl<'a> Definitions<'a> {
    /// Adds a module to the component that is being read.
    pub(super) fn module(&mut self) {
        let module = self.modules;
        self.modules += 1;
        self.push(Step::Module(module));
    }

    /// Adds a component, whose sections follow.
    pub(super) fn begin_component(&mut self) {
        let component = self.components.len();
        self.push(Step::Component(component));
        self.components.push(Vec::new());
        self.open.push(component);
    }

    pub(super) fn end_component(&mut self) {
        self.open.pop();
    }

    /// Adds the items of a section. Returns `None` at its first error.
    pub(super) fn section(&mut self, section: Payload<'a>) -> Option<()> {
        match section {
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    match instance.ok()? {
                        Instance::Instantiate { module_index, args } => {
                            self.others(args.len());
                            self.push(Step::InstantiateModule(module_index));
                        }
                        Instance::FromExports(exports) => self.others(1 + exports.len()),
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    match instance.ok()? {
                        ComponentInstance::Instantiate {
                            component_index,
                            args,
                        } => {
                            self.others(args.len());
                            let followed = |arg: &wasmparser::ComponentInstantiationArg<'a>| {
                                Some((arg.name, kind_of(arg.kind)?, arg.index))
                            };
                            let args = args.iter().filter_map(followed).collect();
                            self.push(Step::Instantiate(component_index, args));
                        }
                        ComponentInstance::FromExports(exports) => {
                            self.others(exports.len());
                            let all = exports.len() as u64;
                            let followed = |export: &wasmparser::ComponentExport<'a>| {
                                Some((export.name.name, kind_of(export.kind)?, export.index))
                            };
                            let exports = exports.iter().filter_map(followed).collect();
                            self.push(Step::Exports(exports, all));
                        }
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    self.alias(alias.ok()?);
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let import = import.ok()?;
                    let kind = match import.ty {
                        ComponentTypeRef::Module(_) => Kind::Module,
                        ComponentTypeRef::Component(_) => Kind::Component,
                        ComponentTypeRef::Instance(_) => Kind::Instance,
                        _ => {
                            self.others(1);
                            continue;
                        }
                    };
                    self.push(Step::Import(import.name.name, kind));
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let export = export.ok()?;
                    match kind_of(export.kind) {
                        Some(kind) => self.push(Step::Export(export.name.name, kind, export.index)),
                        None => self.push(Step::OtherExport),
                    }
                }
            }
            Payload::ComponentTypeSection(types) => self.others(types.count() as usize),
            Payload::CoreTypeSection(types) => self.others(types.count() as usize),
            Payload::ComponentCanonicalSection(functions) => {
                self.others(functions.count() as usize);
            }
            _ => {}
        }
        Some(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) {
        match alias {
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => match kind_of(kind) {
                Some(kind) => self.push(Step::Alias(name, kind, instance_index)),
                None => self.others(1),
            },
            ComponentAlias::CoreInstanceExport { .. } => self.others(1),
            ComponentAlias::Outer { kind, count, index } => match kind {
                ComponentOuterAliasKind::CoreModule => {
                    self.push(Step::Outer(Kind::Module, count, index));
                }
                ComponentOuterAliasKind::Component => {
                    self.push(Step::Outer(Kind::Component, count, index));
                }
                ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {
                    self.others(1);
                }
            },
        }
    }

    fn push(&mut self, step: Step<'a>) {
        if let Some(component) = self.open.last() {
            self.components[*component].push(step);
        }
    }

    fn others(&mut self, count: usize) {
        if count > 0 {
            self.push(Step::Others(count as u64));
        }
    }
}

/// The items that the instantiation of a component makes.
#[derive(Debug)]
pub(super) struct Expansion {
    pub(super) items: u64,
    pub(super) core_instances: u32,
    /// The number of items in the instances that instantiations get: the compiler copies them, whatever the type of the
    /// import is.
    pub(super) passed_items: u64,
    /// The number of instances of each module in the binary.
    pub(super) instances_of: Vec<u32>,
    /// The number of instances of each component in the binary, the root first.
    pub(super) instances_of_components: Vec<u32>,
}

impl Expansion {
    /// Expands the first of these components.
    ///
    /// # Errors
    /// `CompileError` if it makes more items than the limit.
    pub(super) fn of(
        definitions: &Definitions<'_>,
        modules: usize,
        limits: &ModuleLimits,
    ) -> Result<Self, WasmError> {
        let mut run = Run {
            definitions,
            limits,
            expansion: Self {
                items: 0,
                core_instances: 0,
                passed_items: 0,
                instances_of: vec![0; modules],
                instances_of_components: vec![0; definitions.components.len()],
            },
            spaces: Vec::new(),
            instances: Vec::new(),
            depth: 0,
        };
        run.instantiate(0, None, &HashMap::new())?;
        Ok(run.expansion)
    }
}

/// An item of a kind that the expansion follows.
#[derive(Clone, Copy)]
enum Item {
    /// A module, by its number in the binary.
    Module(usize),
    /// A component, by its number in the binary, and the index spaces of the component around it.
    Component(usize, usize),
    /// An instance, by its place in [`Run::instances`].
    Instance(usize),
    /// An import of the root.
    Host,
}

/// The exports of an instance.
#[derive(Default)]
struct Exports<'a> {
    /// Those of kinds that the expansion follows.
    items: HashMap<&'a str, Item>,
    /// The number of all.
    count: u64,
}

/// The index spaces of a component that is being instantiated.
#[derive(Default)]
struct Spaces {
    modules: Vec<Item>,
    components: Vec<Item>,
    instances: Vec<Item>,
    /// The index spaces of the component around this one.
    outer: Option<usize>,
}

impl Spaces {
    fn of(&self, kind: Kind) -> &Vec<Item> {
        match kind {
            Kind::Module => &self.modules,
            Kind::Component => &self.components,
            Kind::Instance => &self.instances,
        }
    }

    /// Returns an item. An index that does not exist is not valid, and nothing is known of the item.
    fn get(&self, kind: Kind, index: u32) -> Item {
        let items = self.of(kind);
        items.get(index as usize).copied().unwrap_or(Item::Host)
    }

    fn push(&mut self, kind: Kind, item: Item) {
        match kind {
            Kind::Module => self.modules.push(item),
            Kind::Component => self.components.push(item),
            Kind::Instance => self.instances.push(item),
        }
    }

    fn all<'a>(&self, items: &[(&'a str, Kind, u32)]) -> HashMap<&'a str, Item> {
        let item = |(name, kind, index): &(&'a str, Kind, u32)| (*name, self.get(*kind, *index));
        items.iter().map(item).collect()
    }
}

struct Run<'d, 'a> {
    definitions: &'d Definitions<'a>,
    limits: &'d ModuleLimits,
    expansion: Expansion,
    /// The index spaces of every instantiation. Components refer to those around them, also after the instantiation.
    spaces: Vec<Spaces>,
    instances: Vec<Exports<'a>>,
    /// The number of instantiations around the current one.
    depth: u64,
}

impl<'a> Run<'_, 'a> {
    fn count(&mut self, items: u64) -> Result<(), WasmError> {
        self.expansion.items = self.expansion.items.saturating_add(items);
        let cap = self.limits.max_component_items;
        if self.expansion.items > cap {
            let makes = format_args!("makes more than {cap} items when it is instantiated");
            return Err(exceeds_of("component", makes, cap, "max_component_items"));
        }
        Ok(())
    }

    /// Instantiates a component. Returns the exports of kinds that the expansion follows.
    fn instantiate(
        &mut self,
        component: usize,
        outer: Option<usize>,
        args: &HashMap<&'a str, Item>,
    ) -> Result<Exports<'a>, WasmError> {
        let cap = self.limits.max_component_nesting;
        if self.depth > cap {
            let nests = format_args!("nests more than {cap} instantiations");
            return Err(exceeds_of("component", nests, cap, "max_component_nesting"));
        }
        self.depth += 1;
        let instances = &mut self.expansion.instances_of_components[component];
        *instances = instances.saturating_add(1);
        let spaces = self.spaces.len();
        self.spaces.push(Spaces {
            outer,
            ..Spaces::default()
        });
        let mut exports = Exports::default();
        let definitions = self.definitions;
        for step in &definitions.components[component] {
            self.count(1)?;
            let added = self.step(step, spaces, args, &mut exports)?;
            if let Some((kind, item)) = added {
                self.spaces[spaces].push(kind, item);
            }
        }
        self.depth -= 1;
        Ok(exports)
    }

    /// Carries out a step. Returns the item that it adds to an index space.
    fn step(
        &mut self,
        step: &Step<'a>,
        spaces: usize,
        args: &HashMap<&'a str, Item>,
        exports: &mut Exports<'a>,
    ) -> Result<Option<(Kind, Item)>, WasmError> {
        let own = &self.spaces[spaces];
        Ok(Some(match step {
            Step::Module(module) => (Kind::Module, Item::Module(*module)),
            Step::Component(component) => (Kind::Component, Item::Component(*component, spaces)),
            Step::Import(name, kind) => (*kind, args.get(name).copied().unwrap_or(Item::Host)),
            Step::InstantiateModule(module) => {
                let made = &mut self.expansion;
                made.core_instances = made.core_instances.saturating_add(1);
                if let Item::Module(module) = own.get(Kind::Module, *module) {
                    let instances = &mut made.instances_of[module];
                    *instances = instances.saturating_add(1);
                }
                return Ok(None);
            }
            Step::Instantiate(component, args) => {
                let made = match own.get(Kind::Component, *component) {
                    Item::Component(component, outer) => {
                        let args = own.all(args);
                        for arg in args.values() {
                            if let Item::Instance(instance) = arg {
                                let count = self.instances[*instance].count;
                                let passed = &mut self.expansion.passed_items;
                                *passed = passed.saturating_add(count);
                            }
                        }
                        self.instantiate(component, Some(outer), &args)?
                    }
                    _ => Exports::default(),
                };
                (Kind::Instance, self.add_instance(made))
            }
            Step::Exports(items, count) => {
                let made = Exports {
                    items: own.all(items),
                    count: *count,
                };
                (Kind::Instance, self.add_instance(made))
            }
            Step::Alias(name, kind, instance) => {
                let item = match own.get(Kind::Instance, *instance) {
                    Item::Instance(instance) => self.instances[instance].items.get(name).copied(),
                    _ => None,
                };
                (*kind, item.unwrap_or(Item::Host))
            }
            Step::Outer(kind, count, index) => {
                let mut around = Some(own);
                for _ in 0..*count {
                    let Some(inner) = around else { break };
                    around = inner.outer.map(|outer| &self.spaces[outer]);
                }
                let item = around.map(|around| around.get(*kind, *index));
                (*kind, item.unwrap_or(Item::Host))
            }
            Step::Export(name, kind, index) => {
                let item = own.get(*kind, *index);
                exports.items.insert(name, item);
                exports.count += 1;
                // An export adds another index for the item.
                (*kind, item)
            }
            Step::OtherExport => {
                exports.count += 1;
                return Ok(None);
            }
            Step::Others(count) => {
                self.count(count - 1)?;
                return Ok(None);
            }
        }))
    }

    fn add_instance(&mut self, exports: Exports<'a>) -> Item {
        self.instances.push(exports);
        Item::Instance(self.instances.len() - 1)
    }
}
