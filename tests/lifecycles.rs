//! Modules, stores and instances are made, dropped and collected in random order, and compared with a model of the
//! living ones.

mod model;

use std::cell::RefCell;

use model::{
    Act, FUEL, Function, Held, Limits, Place, Settle, Source, TIMEOUT, Transition, World, code,
};
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use serde_json::{Value, json};

use crate::async_calls::HELPERS;
use crate::marshalling::runner;
use crate::support::js::Js;

/// A guest that counts its calls and calls its import.
const GUEST: &str = r#"(module
    (import "env" "f" (func $f (param i32) (result i32)))
    (global $count (export "count") (mut i32) (i32.const 0))
    (memory (export "memory") 1)
    (func $bump (export "bump") (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (global.get $count))
    (func (export "trap") (drop (call $bump)) (unreachable))
    (func (export "spin") (drop (call $bump)) (loop $again (br $again)))
    (func (export "ask") (param i32) (result i32)
        (drop (call $bump))
        (call $f (local.get 0))))"#;

/// A guest whose start function traps.
const TRAPS: &str = r#"(module
    (import "env" "f" (func $f (param i32) (result i32)))
    (func $start unreachable)
    (start $start))"#;

/// The steps of a case, one function for each.
const WORLD: &str = include_str!("lifecycles/world.js");

thread_local! {
    /// One runtime for all cases, because starting a runtime takes longer than most cases.
    static JS: RefCell<Js> = RefCell::new({
        let mut js = Js::new();
        js.run(&format!("{HELPERS}\n{WORLD}"));
        js
    });
}

fn run(call: &str) -> Value {
    JS.with_borrow_mut(|js| js.wait(&format!("world.{call}")))
}

/// The system under test. Its objects are in JavaScript. Kept here: the fuel that was left in the store of each
/// instance after the last step.
struct Real {
    fuels: RefCell<Vec<Option<u64>>>,
    /// The store that got new fuel in the last step.
    refuelled: Option<usize>,
    log: Vec<String>,
}

fn name(function: Function) -> &'static str {
    match function {
        Function::Bump => "bump",
        Function::Trap => "trap",
        Function::Spin => "spin",
    }
}

fn options(limits: Limits) -> Value {
    match limits {
        Limits::None => json!({}),
        Limits::Fuel => json!({ "fuel": FUEL }),
        Limits::Deadline => json!({ "timeoutMs": TIMEOUT }),
        Limits::Interruptible => json!({ "interruptible": true }),
    }
}

impl StateMachineTest for Real {
    type SystemUnderTest = Self;
    type Reference = World;

    fn init_test(_: &World) -> Self {
        run("begin()");
        Self {
            fuels: RefCell::default(),
            refuelled: None,
            log: Vec::new(),
        }
    }

    fn apply(mut real: Self, world: &World, transition: Transition) -> Self {
        real.refuelled = None;
        let store_of = |i: usize| world.instances[i].store;
        let call = match transition {
            Transition::Compile(source) => {
                let source = match source {
                    Source::Guest => GUEST,
                    Source::Traps => TRAPS,
                    Source::Invalid => "(module (func (result i32)))",
                };
                format!("compile({})", json!(source))
            }
            Transition::DropModule(m) => format!("dropModule({m})"),
            Transition::ForgetModule(m) => format!("forgetModule({m})"),
            Transition::NewStore(limits) => format!("newStore({})", options(limits)),
            Transition::DropStore(s) => format!("dropStore({s})"),
            Transition::SetFuel(s) => {
                real.refuelled = Some(s);
                format!("setFuel({s}, {FUEL})")
            }
            Transition::Instantiate {
                module,
                place,
                link,
            } => {
                let (store, options) = match place {
                    Place::Own(limits) => (None, options(limits)),
                    Place::In(s) => (Some(s), Value::Null),
                    Place::Joined => (None, Value::Null),
                };
                format!(
                    "instantiate({module}, {}, {}, {options})",
                    json!(store),
                    json!(link)
                )
            }
            Transition::Call(i, function) => format!("call({i}, '{}')", name(function)),
            Transition::Ask(i, act) => {
                let act = match act {
                    Act::Nothing => "'nothing'".to_owned(),
                    Act::Throw => "'throw'".to_owned(),
                    Act::Call(k, function) => format!("'call', {k}, '{}'", name(function)),
                    Act::Drop(k) => format!("'drop', {k}"),
                    Act::DropStore(s) => format!("'dropStore', {s}"),
                };
                format!("call({i}, 'ask', {act})")
            }
            Transition::Start(i) if world.expected == code(5002) => format!("startBusy({i})"),
            Transition::Start(i) => {
                let store = store_of(i);
                let signalled = world.stores[store].limits == Limits::Interruptible;
                format!("start({i}, {store}, {signalled})")
            }
            Transition::Settle(s, how) => {
                let how = match how {
                    Settle::Resolve => "resolve",
                    Settle::Reject => "reject",
                    Settle::Abort => "abort",
                };
                format!("settle({s}, '{how}')")
            }
            Transition::Drop(i) => {
                let ends = world.expected.is_array().then(|| store_of(i));
                format!("drop({i}, {})", json!(ends))
            }
            Transition::Forget(i) => format!("forget({i})"),
            Transition::Collect => "collect()".to_owned(),
        };
        real.log.push(call.clone());
        assert_eq!(run(&call), world.expected, "{:#?}", real.log);
        real
    }

    fn check_invariants(real: &Self, world: &World) {
        let state = run(&format!("look({})", world.instance_bounds().1));
        let within = |kind: &str, (least, most): (u64, u64)| {
            let live = state[kind].as_u64().unwrap();
            assert!(
                (least..=most).contains(&live),
                "{live} {kind}, not {least} to {most}"
            );
        };
        within("modules", world.module_bounds());
        within("instances", world.instance_bounds());
        let mut fuels = real.fuels.borrow_mut();
        fuels.resize(world.instances.len(), None);
        for (i, instance) in world.instances.iter().enumerate() {
            if instance.held == Held::Forgotten {
                continue;
            }
            let (count, fuel) = (&state["counts"][i], &state["fuels"][i]);
            if !world.can_call(i) {
                assert_eq!((count, fuel), (&code(5002), &code(5002)), "instance {i}");
                continue;
            }
            assert_eq!(count, &json!(instance.count), "instance {i}");
            let store = &world.stores[instance.store];
            if store.limits != Limits::Fuel {
                assert_eq!(fuel, &json!("done"), "instance {i}");
                continue;
            }
            let fuel = fuel.as_u64().unwrap();
            assert_eq!(fuel == 0, store.empty, "instance {i} has {fuel}");
            let before = fuels[i].filter(|_| real.refuelled != Some(instance.store));
            assert!(
                fuel <= before.unwrap_or(FUEL),
                "instance {i} has {fuel} after {before:?}"
            );
            fuels[i] = Some(fuel);
        }
    }

    fn teardown(real: Self, _: World) {
        let left = run("end()");
        assert_eq!(
            left,
            json!([0, 0]),
            "modules or instances are left after {:#?}",
            real.log
        );
    }
}

#[test]
fn modules_stores_and_instances_come_and_go_as_in_the_model() {
    let steps = World::sequential_strategy(1..40);
    let run = |(world, transitions, seen)| {
        Real::test_sequential(Config::default(), world, transitions, seen);
        Ok(())
    };
    runner().run(&steps, run).unwrap();
}
