//! The model: the modules, stores and instances that exist, and the expected outcome of each step.

use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;
use serde_json::{Value, json};

pub const FUEL: u64 = 100_000;

/// In milliseconds. Only an endless loop takes so long.
pub const TIMEOUT: u64 = 60;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    Guest,
    /// Its start function traps.
    Traps,
    Invalid,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limits {
    None,
    Fuel,
    Deadline,
    Interruptible,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    Bump,
    Trap,
    Spin,
}

/// The action of an import before it returns.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Nothing,
    Throw,
    Call(usize, Function),
    Drop(usize),
    DropStore(usize),
}

#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// A store of its own.
    Own(Limits),
    /// An existing store.
    In(usize),
    /// The store of the imported function.
    Joined,
}

#[derive(Clone, Copy, Debug)]
pub enum Settle {
    Resolve,
    Reject,
    Abort,
}

#[derive(Clone, Debug)]
pub enum Transition {
    Compile(Source),
    DropModule(usize),
    ForgetModule(usize),
    NewStore(Limits),
    DropStore(usize),
    SetFuel(usize),
    /// Makes an instance that imports a function of another instance, or one of JavaScript.
    Instantiate {
        module: usize,
        place: Place,
        link: Option<usize>,
    },
    Call(usize, Function),
    Ask(usize, Act),
    /// A call whose import returns a promise.
    Start(usize),
    Settle(usize, Settle),
    Drop(usize),
    Forget(usize),
    Collect,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    Yes,
    /// Unreachable, and not yet collected.
    Forgotten,
    Dropped,
}

#[derive(Clone, Debug)]
pub struct Module {
    source: Source,
    held: Held,
}

#[derive(Clone, Debug)]
pub struct Store {
    /// Made for an instance, and freed with its last instance.
    pub implicit: bool,
    pub limits: Limits,
    pub dropped: bool,
    /// Whether its fuel is used up.
    pub empty: bool,
    /// The instance in it that waits for a promise.
    pub waits: Option<usize>,
    /// The number of instances that failed to start in it. They are freed with the store.
    pub failed: u64,
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub store: usize,
    pub link: Option<usize>,
    pub held: Held,
    pub count: u32,
}

/// The model.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub modules: Vec<Module>,
    pub stores: Vec<Store>,
    pub instances: Vec<Instance>,
    /// The expected outcome of the last step.
    pub expected: Value,
    /// Whether the collector has just run.
    pub collected: bool,
}

pub fn code(code: u16) -> Value {
    json!({ "code": code })
}

impl Store {
    fn new(implicit: bool, limits: Limits) -> Self {
        Self {
            implicit,
            limits,
            dropped: false,
            empty: false,
            waits: None,
            failed: 0,
        }
    }
}

impl World {
    pub fn can_call(&self, i: usize) -> bool {
        let instance = &self.instances[i];
        instance.held == Held::Yes && !self.stores[instance.store].dropped
    }

    /// A call of a function that does not call the import.
    fn call(&mut self, i: usize, function: Function) -> Value {
        if !self.can_call(i) {
            return code(5002);
        }
        let instance = &mut self.instances[i];
        let store = &mut self.stores[instance.store];
        if store.empty {
            return code(5006);
        }
        instance.count += 1;
        match function {
            Function::Bump => json!(instance.count),
            Function::Trap => code(5002),
            Function::Spin if store.limits == Limits::Fuel => {
                store.empty = true;
                code(5006)
            }
            Function::Spin => code(5002),
        }
    }

    fn drop_instance(&mut self, i: usize) {
        self.instances[i].held = Held::Dropped;
        let store = self.instances[i].store;
        let is_used = self
            .instances
            .iter()
            .any(|other| other.store == store && other.held != Held::Dropped);
        if self.stores[store].implicit && !is_used {
            self.stores[store].dropped = true;
        }
    }

    /// A call that reaches the import, which performs this action.
    fn ask(&mut self, i: usize, act: Act) -> Value {
        if !self.can_call(i) {
            return code(5002);
        }
        if self.stores[self.instances[i].store].empty {
            return code(5006);
        }
        self.count_asked(i);
        let inner = match act {
            Act::Throw => return code(5002),
            Act::Nothing => json!("done"),
            Act::Call(k, function) => {
                let outcome = self.call(k, function);
                if outcome.is_null() {
                    json!("done")
                } else {
                    outcome
                }
            }
            Act::Drop(k) => {
                self.drop_instance(k);
                json!("done")
            }
            Act::DropStore(s) => {
                self.stores[s].dropped = true;
                json!("done")
            }
        };
        json!([42, inner])
    }

    /// Every instance between the caller and the import counts.
    fn count_asked(&mut self, i: usize) {
        let mut next = Some(i);
        while let Some(i) = next {
            self.instances[i].count += 1;
            next = self.instances[i].link;
        }
    }

    fn instantiate(&mut self, module: usize, place: Place, link: Option<usize>) -> Value {
        if link.is_some_and(|link| !self.can_call(link)) {
            return code(5002);
        }
        let source = match &self.modules[module] {
            Module {
                held: Held::Dropped,
                ..
            } => return code(5001),
            module => module.source,
        };
        let store = match (place, link) {
            (Place::In(s), Some(link)) if self.instances[link].store != s => return code(5001),
            (Place::In(s), _) if self.stores[s].dropped => return code(5002),
            (Place::In(s), _) => s,
            (Place::Joined, Some(link)) => self.instances[link].store,
            (Place::Own(_) | Place::Joined, _) => self.stores.len(),
        };
        if source == Source::Traps {
            return match self.stores.get_mut(store) {
                Some(store) => {
                    store.failed += 1;
                    code(if store.empty { 5006 } else { 5002 })
                }
                None => code(5002),
            };
        }
        if store == self.stores.len() {
            let limits = match place {
                Place::Own(limits) => limits,
                _ => Limits::None,
            };
            self.stores.push(Store::new(true, limits));
        }
        self.instances.push(Instance {
            store,
            link,
            held: Held::Yes,
            count: 0,
        });
        json!("done")
    }

    /// The least and the greatest number of instances that may exist.
    pub fn instance_bounds(&self) -> (u64, u64) {
        let (mut least, mut most) = (0, 0);
        for (number, store) in self.stores.iter().enumerate() {
            if store.dropped {
                continue;
            }
            let of_store = || self.instances.iter().filter(|one| one.store == number);
            let has = |held: Held| of_store().any(|instance| instance.held == held);
            let instances = of_store().count() as u64 + store.failed;
            let is_in_use = !store.implicit || has(Held::Yes);
            // An instance that is dropped, but not forgotten, still refers to its store.
            let is_named = is_in_use || has(Held::Dropped);
            least += if is_in_use { instances } else { 0 };
            most += if is_named || !self.collected {
                instances
            } else {
                0
            };
        }
        (least, most + self.slack())
    }

    pub fn module_bounds(&self) -> (u64, u64) {
        let count = |held: Held| {
            let modules = self.modules.iter();
            modules.filter(|module| module.held == held).count() as u64
        };
        let forgotten = if self.collected {
            0
        } else {
            count(Held::Forgotten)
        };
        (
            count(Held::Yes),
            count(Held::Yes) + forgotten + self.slack(),
        )
    }

    /// The number of objects that the collector may have missed, because they are in a register or on the stack.
    fn slack(&self) -> u64 {
        if self.collected { 2 } else { 0 }
    }
}

impl ReferenceStateMachine for World {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Transition> {
        let limits = || {
            select(vec![
                Limits::None,
                Limits::None,
                Limits::Fuel,
                Limits::Fuel,
                Limits::Deadline,
                Limits::Interruptible,
            ])
        };
        let (modules, stores, instances) = (
            state.modules.len(),
            state.stores.len(),
            state.instances.len(),
        );
        let source = select(vec![
            Source::Guest,
            Source::Guest,
            Source::Guest,
            Source::Traps,
            Source::Invalid,
        ]);
        let mut choices = vec![
            (2, source.prop_map(Transition::Compile).boxed()),
            (1, limits().prop_map(Transition::NewStore).boxed()),
            (1, Just(Transition::Collect).boxed()),
        ];
        if modules > 0 {
            let link = proptest::option::weighted(0.3, 0..instances.max(1));
            let place = prop_oneof![
                2 => limits().prop_map(Place::Own),
                2 => (0..stores.max(1)).prop_map(Place::In),
                1 => Just(Place::Joined),
            ];
            let instantiate = (0..modules, place, link).prop_map(|(module, place, link)| {
                Transition::Instantiate {
                    module,
                    place,
                    link,
                }
            });
            choices.push((6, instantiate.boxed()));
            choices.push((1, (0..modules).prop_map(Transition::DropModule).boxed()));
            choices.push((1, (0..modules).prop_map(Transition::ForgetModule).boxed()));
        }
        if stores > 0 {
            let how = select(vec![Settle::Resolve, Settle::Reject, Settle::Abort]);
            let settle = (0..stores, how).prop_map(|(store, how)| Transition::Settle(store, how));
            choices.push((2, settle.boxed()));
            choices.push((1, (0..stores).prop_map(Transition::DropStore).boxed()));
            choices.push((1, (0..stores).prop_map(Transition::SetFuel).boxed()));
        }
        if instances > 0 {
            let function = || {
                select(vec![
                    Function::Bump,
                    Function::Bump,
                    Function::Trap,
                    Function::Spin,
                ])
            };
            let act = prop_oneof![
                Just(Act::Nothing),
                Just(Act::Throw),
                (0..instances, function()).prop_map(|(i, function)| Act::Call(i, function)),
                (0..instances).prop_map(Act::Drop),
                (0..stores).prop_map(Act::DropStore),
            ];
            let i = || 0..instances;
            let call = (i(), function()).prop_map(|(i, function)| Transition::Call(i, function));
            choices.push((5, call.boxed()));
            let ask = (i(), act).prop_map(|(i, act)| Transition::Ask(i, act));
            choices.push((5, ask.boxed()));
            choices.push((2, i().prop_map(Transition::Start).boxed()));
            choices.push((2, i().prop_map(Transition::Drop).boxed()));
            choices.push((1, i().prop_map(Transition::Forget).boxed()));
        }
        proptest::strategy::Union::new_weighted(choices).boxed()
    }

    fn preconditions(state: &Self, transition: &Transition) -> bool {
        let is_held = |i: usize| {
            let instance = state.instances.get(i);
            instance.is_some_and(|instance| instance.held != Held::Forgotten)
        };
        let store_of = |i: usize| &state.stores[state.instances[i].store];
        let is_explicit = |s: usize| {
            state
                .stores
                .get(s)
                .is_some_and(|store: &Store| !store.implicit)
        };
        // An endless loop must end by fuel or by its deadline, and must not end a call around it.
        let may_spin = |i: usize, inside: bool| {
            let store = store_of(i);
            store.waits.is_none()
                && match store.limits {
                    Limits::Fuel => true,
                    Limits::Deadline => !inside,
                    _ => false,
                }
        };
        match *transition {
            Transition::Compile(_) | Transition::NewStore(_) | Transition::Collect => true,
            Transition::DropModule(m) | Transition::ForgetModule(m) => state
                .modules
                .get(m)
                .is_some_and(|module| module.held == Held::Yes),
            Transition::DropStore(s) => is_explicit(s),
            Transition::SetFuel(s) => is_explicit(s) && state.stores[s].limits == Limits::Fuel,
            Transition::Instantiate {
                module,
                place,
                link,
            } => {
                state
                    .modules
                    .get(module)
                    .is_some_and(|module| module.held != Held::Forgotten)
                    && link.is_none_or(is_held)
                    && match place {
                        Place::Own(_) => link.is_none(),
                        Place::In(s) => is_explicit(s),
                        Place::Joined => link.is_some(),
                    }
            }
            Transition::Call(i, function) => {
                is_held(i) && (function != Function::Spin || may_spin(i, false))
            }
            Transition::Ask(i, act) => {
                is_held(i)
                    && match act {
                        Act::Nothing | Act::Throw => true,
                        Act::Call(k, function) => {
                            is_held(k) && (function != Function::Spin || may_spin(k, true))
                        }
                        // Another step ends calls that wait.
                        Act::Drop(k) => is_held(k) && store_of(k).waits.is_none(),
                        Act::DropStore(s) => is_explicit(s) && state.stores[s].waits.is_none(),
                    }
            }
            Transition::Start(i) => {
                is_held(i) && store_of(i).limits != Limits::Deadline && !store_of(i).empty
            }
            Transition::Settle(s, how) => state.stores.get(s).is_some_and(|store| {
                store.waits.is_some()
                    && (store.limits == Limits::Interruptible || !matches!(how, Settle::Abort))
            }),
            Transition::Drop(i) => is_held(i),
            Transition::Forget(i) => is_held(i) && store_of(i).waits.is_none(),
        }
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        state.collected = false;
        state.expected = match *transition {
            Transition::Compile(Source::Invalid) => code(5000),
            Transition::Compile(source) => {
                state.modules.push(Module {
                    source,
                    held: Held::Yes,
                });
                json!("done")
            }
            Transition::DropModule(m) => {
                state.modules[m].held = Held::Dropped;
                json!("done")
            }
            Transition::ForgetModule(m) => {
                state.modules[m].held = Held::Forgotten;
                Value::Null
            }
            Transition::NewStore(limits) => {
                state.stores.push(Store::new(false, limits));
                json!("done")
            }
            Transition::DropStore(s) => {
                let store = &mut state.stores[s];
                store.dropped = true;
                match store.waits.take() {
                    Some(_) => json!(["done", code(5002)]),
                    None => json!("done"),
                }
            }
            Transition::SetFuel(s) => {
                let store = &mut state.stores[s];
                if store.dropped {
                    code(5002)
                } else {
                    store.empty = false;
                    json!("done")
                }
            }
            Transition::Instantiate {
                module,
                place,
                link,
            } => state.instantiate(module, place, link),
            Transition::Call(i, function) => state.call(i, function),
            Transition::Ask(i, act) => state.ask(i, act),
            Transition::Start(i) => {
                let store = state.instances[i].store;
                if !state.can_call(i) || state.stores[store].waits.is_some() {
                    code(5002)
                } else {
                    state.count_asked(i);
                    state.stores[store].waits = Some(i);
                    json!("waits")
                }
            }
            Transition::Settle(s, how) => {
                state.stores[s].waits = None;
                match how {
                    Settle::Resolve => json!(42),
                    Settle::Reject | Settle::Abort => code(5002),
                }
            }
            Transition::Drop(i) => {
                state.drop_instance(i);
                let store = &mut state.stores[state.instances[i].store];
                match store.waits {
                    Some(_) if store.dropped => {
                        store.waits = None;
                        json!(["done", code(5002)])
                    }
                    _ => json!("done"),
                }
            }
            Transition::Forget(i) => {
                state.instances[i].held = Held::Forgotten;
                Value::Null
            }
            Transition::Collect => {
                state.collected = true;
                json!("done")
            }
        };
        state
    }
}
