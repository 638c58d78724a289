//! Writes a case as a script, for the suite `spec-tests`.

use super::Case;
use super::compare::{Difference, Exports, Step};
use crate::features::Features;
use crate::host::{FailureKind, Inspect, InstanceId, Source};
use crate::value::{Top, Value};

/// The script of a case with a difference. It passes once the hosts agree.
///
/// Its first line has the seed. It asserts the outcomes of `reference` up to the step that differed. For a crash
/// there is no such step, so the script has every call.
pub fn script(
    case: &Case,
    difference: &Difference,
    features: &Features,
    reference: &mut dyn Inspect,
) -> String {
    let head = format!(
        ";; cargo conformance fuzz --seed {} --count 1\n;; {}\n",
        case.seed,
        difference.to_string().replace('\n', " ")
    );
    let Some(exports) = Exports::of(&case.module, features) else {
        let module = binary(&case.module);
        return format!("{head}(assert_invalid {module} \"\")\n");
    };
    let module = text(&case.module).unwrap_or_else(|| binary(&case.module));
    let compiled = reference.compile(Source::Binary(&case.module));
    let instance = match compiled.and_then(|module| reference.instantiate(module)) {
        Ok(instance) => instance,
        Err(failure) if failure.kind == FailureKind::Trap => {
            return format!("{head}(assert_trap\n{module}\n{:?})\n", failure.message);
        }
        Err(_) => return format!("{head}{module}\n"),
    };
    let mut script = format!("{head}{module}\n");
    for (round, name, args) in exports.calls(case) {
        let invoke = format!("(invoke {}{})", quote(name), constants(&args));
        script += &match reference.invoke(instance, name, &args) {
            Ok(values) => format!("(assert_return {invoke}{})\n", constants(&values)),
            Err(failure) if failure.kind == FailureKind::Trap => {
                format!("(assert_trap {invoke} {:?})\n", failure.message)
            }
            // Another host may not run out of stack or fuel.
            Err(_) => return script,
        };
        if matches!(&difference.step, Step::Call { name: n, round: r } if n == name && *r == round)
        {
            return script;
        }
    }
    script + &end(&exports, &difference.step, reference, instance)
}

/// The assertions after all calls.
fn end(
    exports: &Exports,
    step: &Step,
    reference: &mut dyn Inspect,
    instance: InstanceId,
) -> String {
    match step {
        Step::Global { name } => match reference.get(instance, name) {
            Ok(value) => {
                let (name, value) = (quote(name), constants(&[value]));
                format!("(assert_return (get {name}){value})\n")
            }
            Err(_) => String::new(),
        },
        // Scripts cannot read memories, so another module does.
        Step::Memory { name, at } => {
            let is_64 = exports.memories.contains(&(name.clone(), true));
            let address = if is_64 { "i64" } else { "i32" };
            let bytes = reference.memory(instance, name).unwrap_or_default();
            let (body, expected) = match at {
                Some(at) => {
                    let load = format!("(result i32) (i32.load8_u ({address}.const {at}))");
                    let byte = bytes.get(*at).copied().unwrap_or_default();
                    (load, format!("(i32.const {byte})"))
                }
                None => {
                    let size = format!("(result {address}) (memory.size)");
                    (size, format!("({address}.const {})", bytes.len() >> 16))
                }
            };
            format!(
                "(register \"subject\")\n\
                 (module (import \"subject\" {} (memory {address} 0)) (func (export \"see\") {body}))\n\
                 (assert_return (invoke \"see\") {expected})\n",
                quote(name)
            )
        }
        _ => String::new(),
    }
}

/// The module in the text format, if the text makes the identical binary.
fn text(module: &[u8]) -> Option<String> {
    let text = wasmprinter::print_bytes(module).ok()?;
    (wat::parse_str(&text).ok()? == module).then(|| text.trim_end().to_owned())
}

fn binary(module: &[u8]) -> String {
    let bytes = module.iter().map(|byte| format!("\\{byte:02x}"));
    format!("(module binary \"{}\")", bytes.collect::<String>())
}

/// A name in the text format, with escapes.
fn quote(name: &str) -> String {
    let bytes = name.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => (byte as char).to_string(),
        _ => format!("\\{byte:02x}"),
    });
    format!("\"{}\"", bytes.collect::<String>())
}

/// Values, each with a space before it.
fn constants(values: &[Value]) -> String {
    values
        .iter()
        .map(|value| format!(" {}", constant(value)))
        .collect()
}

fn constant(value: &Value) -> String {
    match *value {
        Value::I32(value) => format!("(i32.const {value})"),
        Value::I64(value) => format!("(i64.const {value})"),
        Value::F32(bits) => match f32::from_bits(bits) {
            nan if nan.is_nan() => format!(
                "(f32.const {})",
                self::nan(nan.is_sign_negative(), (bits & 0x007f_ffff).into())
            ),
            value => format!("(f32.const {value:?})"),
        },
        Value::F64(bits) => match f64::from_bits(bits) {
            nan if nan.is_nan() => format!(
                "(f64.const {})",
                self::nan(nan.is_sign_negative(), bits & 0x000f_ffff_ffff_ffff)
            ),
            value => format!("(f64.const {value:?})"),
        },
        Value::V128(bytes) => {
            let lanes = bytes.map(|byte| byte.to_string()).join(" ");
            format!("(v128.const i8x16 {lanes})")
        }
        Value::Null(Some(Top::Func)) => "(ref.null func)".to_owned(),
        Value::Null(_) => "(ref.null extern)".to_owned(),
        Value::Extern(Some(n)) => format!("(ref.extern {n})"),
        Value::Extern(None) => "(ref.extern)".to_owned(),
        _ => "(ref.func)".to_owned(),
    }
}

fn nan(is_negative: bool, payload: u64) -> String {
    let sign = if is_negative { "-" } else { "" };
    format!("{sign}nan:{payload:#x}")
}
