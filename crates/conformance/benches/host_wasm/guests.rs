//! Guests that compute, without limits, with fuel and with a deadline.

use crate::js::Js;
use crate::measure::{Bench, Subject};
use crate::raw::Guest;

/// The kernels, and the number of runs of each in a round.
const KERNELS: [(&str, u32); 4] = [
    ("hash", 60),
    ("matrix", 12),
    ("sort", 12),
    ("interpret", 400_000),
];

/// The limits of the guest: the name of the row, the options of the store, and the target ratio.
const FENCES: [(&str, &str, Option<f64>); 3] = [
    ("guest", "{}", Some(1.02)),
    ("guest_fuel", "{ fuel: 2 ** 53 - 1 }", None),
    ("guest_deadline", "{ timeoutMs: 1e9 }", None),
];

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let text = include_str!("kernels.wat");
    let quoted = serde_json::to_string(text)?;
    for (fence, options, target) in FENCES {
        for (kernel, n) in KERNELS {
            let name = format!("{fence}_{kernel}");
            if !bench.wants(&name) {
                continue;
            }
            let js = Js::new(&format!(
                "const instance = await instantiate(await compile(text({quoted})), {{}}, {options});
                 const run = instance.func('{kernel}');
                 globalThis.run = () => run({n});"
            ))?;
            let mut guest = Guest::new(text)?;
            let func = guest.func::<i32, i32>(kernel)?;
            let subject = Subject {
                name: &name,
                target,
                against: "wasmtime without checks",
                per_round: 1,
            };
            bench.compare(
                &subject,
                || js.time("run()"),
                || guest.time(&func, 1, |_| n as i32),
            )?;
        }
    }
    Ok(())
}
