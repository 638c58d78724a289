//! Costs with many instances or many exports.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use plotters::prelude::*;
use wasmtime::{Engine, Instance, Module, Store};

use crate::js::Js;
use crate::measure::ENGINE;
use crate::raw::{self, ok};

/// Numbers of live instances, or of exports of a module.
const COUNTS: [u32; 5] = [1, 10, 100, 1_000, 10_000];
/// The number of measurements of each cost. The median counts.
const ROUNDS: usize = 9;
const CALLS: u32 = 20_000;
const INSTANCES: u32 = 20;
const COPIES: u32 = 20;

/// Costs by the number of instances or exports.
struct Line {
    name: &'static str,
    points: Vec<(u32, f64)>,
}

impl Line {
    fn new(name: &'static str) -> Self {
        let points = Vec::new();
        Self { name, points }
    }
}

/// A diagram: lines with one unit, over the number of one kind of item.
struct Panel {
    title: &'static str,
    over: &'static str,
    lines: Vec<Line>,
}

/// Measures the costs, prints them, and plots them to a file.
pub fn measure(path: &Path) -> anyhow::Result<()> {
    let memory = memory()?;
    let [calls, made, made_raw, copies] = instances()?;
    let (by_exports, made_by_exports) = exports()?;
    let panels = [
        Panel {
            title: "a call, in ns",
            over: "live instances",
            lines: vec![calls],
        },
        Panel {
            title: "an instance made and dropped, in µs",
            over: "live instances",
            lines: vec![made, made_raw],
        },
        Panel {
            title: "1 MiB written, in µs",
            over: "live instances",
            lines: vec![copies],
        },
        Panel {
            title: "a call by name, in ns",
            over: "exports",
            lines: vec![by_exports],
        },
        Panel {
            title: "an instance made and dropped, in µs",
            over: "exports",
            lines: vec![made_by_exports],
        },
        Panel {
            title: "memory of an idle instance, in bytes",
            over: "live instances",
            lines: memory,
        },
    ];
    for panel in &panels {
        for line in &panel.lines {
            let points = line.points.iter();
            let points = points.map(|(count, cost)| format!("{count}: {cost:.1}"));
            let points: Vec<String> = points.collect();
            println!(
                "{} ({}), by {}: {}",
                panel.title,
                line.name,
                panel.over,
                points.join(", ")
            );
        }
    }
    plot(path, &panels)
}

fn median(mut round: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    round()?;
    let mut times = (0..ROUNDS)
        .map(|_| round())
        .collect::<Result<Vec<_>, _>>()?;
    times.sort();
    Ok(times[ROUNDS / 2])
}

const MODULE: &str = r#"(module (memory (export "memory") 32)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;

/// wasmtime alone, with the same module.
struct Raw {
    engine: Engine,
    module: Module,
}

impl Raw {
    fn new() -> anyhow::Result<Self> {
        let engine = raw::engine()?;
        let module = ok(Module::new(&engine, wat::parse_str(MODULE)?))?;
        Ok(Self { engine, module })
    }

    fn instance(&self) -> anyhow::Result<Store<()>> {
        let mut store = Store::new(&self.engine, ());
        ok(Instance::new(&mut store, &self.module, &[]))?;
        Ok(store)
    }
}

/// A script that keeps instances, and makes and drops others.
const MANY: &str = r#"
    const module = await compile(text(MODULE));
    const kept = [];
    globalThis.keep = async (n) => { while (kept.length < n) kept.push(await instantiate(module)); };
    globalThis.call = (n) => {
        const add = kept[0].func("add");
        for (let i = 0; i < n; i++) add(i, 1);
    };
    globalThis.make = async (n) => { for (let i = 0; i < n; i++) (await instantiate(module)).drop(); };
    const bytes = new Uint8Array(2 ** 20).fill(1);
    globalThis.write = (n) => { for (let i = 0; i < n; i++) kept[0].writeMemory(0, bytes); };
"#;

fn many() -> anyhow::Result<Js> {
    Js::new(&format!("const MODULE = `{MODULE}`;{MANY}"))
}

fn instances() -> anyhow::Result<[Line; 4]> {
    let js = many()?;
    let raw = Raw::new()?;
    let mut kept = Vec::new();
    let mut calls = Line::new("func");
    let mut made = Line::new("instantiate");
    let mut made_raw = Line::new("wasmtime alone");
    let mut copies = Line::new("writeMemory");
    for count in COUNTS {
        js.time_promise(&format!("keep({count})"))?;
        let call = median(|| js.time(&format!("call({CALLS})")))?;
        calls.points.push((count, nanoseconds(call, CALLS)));
        let make = median(|| js.time_promise(&format!("make({INSTANCES})")))?;
        made.points
            .push((count, nanoseconds(make, INSTANCES) / 1e3));
        // The same number of instances in wasmtime alone.
        while kept.len() < count as usize {
            kept.push(raw.instance()?);
        }
        let make = median(|| {
            let start = Instant::now();
            for _ in 0..INSTANCES {
                drop(raw.instance()?);
            }
            Ok(start.elapsed())
        })?;
        made_raw
            .points
            .push((count, nanoseconds(make, INSTANCES) / 1e3));
        kept.clear();
        let copy = median(|| js.time(&format!("write({COPIES})")))?;
        copies.points.push((count, nanoseconds(copy, COPIES) / 1e3));
    }
    Ok([calls, made, made_raw, copies])
}

fn exports() -> anyhow::Result<(Line, Line)> {
    let js = Js::new(
        r#"
        let module, instance, name;
        globalThis.exporting = async (n) => {
            let source = "(module";
            for (let i = 0; i < n; i++) {
                source += `(func (export "f${i}") (param i32 i32) (result i32)
                    (i32.add (local.get 0) (i32.const ${i})))`;
            }
            module = await compile(text(source + ")"));
            instance = await instantiate(module);
            name = `f${n - 1}`;
        };
        globalThis.call = (n) => { for (let i = 0; i < n; i++) instance.call(name, [i, 1]); };
        globalThis.make = async (n) => { for (let i = 0; i < n; i++) (await instantiate(module)).drop(); };
        "#,
    )?;
    let (mut calls, mut made) = (Line::new("call"), Line::new("instantiate"));
    for count in &COUNTS[1..] {
        js.time_promise(&format!("exporting({count})"))?;
        let call = median(|| js.time(&format!("call({CALLS})")))?;
        calls.points.push((*count, nanoseconds(call, CALLS)));
        let make = median(|| js.time_promise(&format!("make({INSTANCES})")))?;
        made.points
            .push((*count, nanoseconds(make, INSTANCES) / 1e3));
    }
    Ok((calls, made))
}

fn nanoseconds(time: Duration, per: u32) -> f64 {
    time.as_nanos() as f64 / f64::from(per)
}

/// The memory that idle instances take, beside instances of wasmtime alone; no points if the system does not report
/// memory. This must run first, before other measurements leave free memory that instances could use.
fn memory() -> anyhow::Result<Vec<Line>> {
    const COUNTS: [u32; 4] = [500, 1_000, 2_000, 5_000];
    let grown = |make: &mut dyn FnMut(u32) -> anyhow::Result<()>| {
        make(1)?;
        let before = resident();
        let mut points = Vec::new();
        for count in COUNTS {
            make(1 + count)?;
            let bytes = before.and_then(|before| Some(resident()?.saturating_sub(before)));
            points.extend(bytes.map(|bytes| (count, bytes as f64 / f64::from(count))));
        }
        anyhow::Ok(points)
    };
    let raw = Raw::new()?;
    let mut kept = Vec::new();
    let theirs = grown(&mut |count| {
        while kept.len() < count as usize {
            kept.push(raw.instance()?);
        }
        Ok(())
    })?;
    let js = many()?;
    let ours = grown(&mut |count| js.time_promise(&format!("keep({count})")).map(drop))?;
    let line = |name, points| Line { name, points };
    Ok(vec![
        line("host:wasm", ours),
        line("wasmtime alone", theirs),
    ])
}

/// The resident memory of this process in bytes.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn plot(path: &Path, panels: &[Panel; 6]) -> anyhow::Result<()> {
    let area = SVGBackend::new(path, (1200, 640)).into_drawing_area();
    area.fill(&WHITE)?;
    let (title, rest) = area.split_vertically(40);
    title.titled(
        &format!("host:wasm on the engine {ENGINE}: flat is good"),
        ("sans-serif", 20),
    )?;
    for (area, panel) in rest.split_evenly((2, 3)).iter().zip(panels) {
        let points = panel.lines.iter().flat_map(|line| &line.points);
        let most = points.map(|(_, cost)| *cost).fold(0.0, f64::max);
        let counts = f64::from(COUNTS[0])..f64::from(COUNTS[COUNTS.len() - 1]);
        let mut chart = ChartBuilder::on(area)
            .caption(panel.title, ("sans-serif", 15))
            .margin(12)
            .margin_right(32)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(counts.log_scale(), 0.0..most * 1.3)?;
        chart
            .configure_mesh()
            .x_desc(panel.over)
            .x_labels(5)
            .x_label_formatter(&|count| format!("{count:.0}"))
            .y_label_formatter(&|cost| format!("{cost:.0}"))
            .y_labels(5)
            .draw()?;
        for (line, color) in panel.lines.iter().zip([BLUE, RED]) {
            let points = || {
                line.points
                    .iter()
                    .map(|(count, cost)| (f64::from(*count), *cost))
            };
            chart
                .draw_series(LineSeries::new(points(), color.stroke_width(2)))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
            chart.draw_series(points().map(|point| Circle::new(point, 3, color.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
    }
    area.present()
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("plotted");
    Ok(())
}
