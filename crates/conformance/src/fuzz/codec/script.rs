//! The values of a case in JavaScript: through an exported function, the import that it calls, and back.

use std::fmt::Write as _;

use deno_core::Extension;
use ext_wasm::wasmtime::component::Val;
use ext_wasm::{WasmCapabilities, WasmState};

use super::Case;
use super::guest::Signature;
use super::types::Type;
use crate::js::Js;

/// The most cases that run in one runtime.
const MAX_CASES: u32 = 50;

/// Runtimes for cases, one after the other.
#[derive(Default)]
pub struct Scripts {
    js: Option<Js>,
    cases: u32,
}

/// A text that tells all values apart.
const SHOW: &str = r#"
    const show = (value) => {
        if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${[...value].map(show)})`;
        if (Array.isArray(value)) return `[${value.map(show)}]`;
        if (typeof value === "bigint") return `${value}n`;
        if (Object.is(value, -0)) return "-0";
        if (typeof value === "object") {
            return `{${Object.entries(value).map(([name, part]) => `${name}: ${show(part)}`)}}`;
        }
        return typeof value === "string" ? JSON.stringify(value) : String(value);
    };"#;

impl Scripts {
    /// Runs a case.
    ///
    /// # Errors
    /// If a value comes out as another one.
    pub fn run(&mut self, case: &Case) -> anyhow::Result<()> {
        // A result is returned or thrown, and not a value, at the top of a function's result.
        let mut params = case.signature.params.clone();
        params[0] = Type::Tuple(vec![params[0].clone()]);
        let signature = Signature {
            params,
            ..case.signature.clone()
        };
        if !signature.fits() {
            return Ok(());
        }
        let mut args = case.args.clone();
        args[0] = Val::Tuple(vec![args[0].clone()]);
        let literals: Vec<String> = signature
            .params
            .iter()
            .zip(&args)
            .map(|(ty, value)| literal(ty, value))
            .collect();
        let result = literal(signature.result(), &Val::Tuple(vec![case.result.clone()]));
        let source = serde_json::to_string(&signature.component())?;
        let code = format!(
            r#"import {{ compileComponent, instantiateComponent }} from "host:wasm";
            {SHOW}
            let got;
            const host = (...args) => {{ got = args; return {result}; }};
            const component = await compileComponent(Deno.core.encode({source}));
            const {{ exports }} = await instantiateComponent(component, {{ host }});
            const args = [{args}];
            const returned = exports.echo(...args);
            const same = (what, value, expected) => {{
                if (show(value) !== show(expected)) throw new Error(`${{what}}: ${{show(value)}} and not ${{show(expected)}}`);
            }};
            same("the import has got", got, args);
            same("the function has returned", returned, {result});
            component.drop();"#,
            args = literals.join(", "),
        );
        if self.cases.is_multiple_of(MAX_CASES) {
            self.js = None;
        }
        self.cases += 1;
        let js = match &mut self.js {
            Some(js) => js,
            empty => empty.insert(Js::new(
                WasmState::new(WasmCapabilities::default())?,
                Extension::default(),
            )?),
        };
        js.evaluate(&format!("codec:case{}", self.cases), code)
    }
}

/// A value as a JavaScript expression, in the form in which it comes out of a component.
fn literal(ty: &Type, value: &Val) -> String {
    match (ty, value) {
        (Type::String, Val::String(text)) => quoted(text),
        (Type::List(ty), Val::List(values))
        | (Type::FixedLengthList(ty, _), Val::FixedLengthList(values)) => {
            let elements: Vec<String> = values.iter().map(|value| literal(ty, value)).collect();
            let elements = elements.join(", ");
            match typed_array(ty) {
                Some(class) => format!("{class}.of({elements})"),
                None => format!("[{elements}]"),
            }
        }
        (Type::Record(types), Val::Record(values)) => {
            let mut fields = String::new();
            for (ty, (name, value)) in types.iter().zip(values) {
                let _ = write!(fields, "{name}: {}, ", literal(ty, value));
            }
            format!("{{ {fields} }}")
        }
        (Type::Tuple(types), Val::Tuple(values)) => {
            let pairs = types.iter().zip(values);
            let parts: Vec<String> = pairs.map(|(ty, value)| literal(ty, value)).collect();
            format!("[{}]", parts.join(", "))
        }
        (Type::Variant(cases), Val::Variant(name, payload)) => {
            let case: usize = name[1..].parse().unwrap_or(0);
            tagged(name, cases[case].as_ref(), payload.as_deref())
        }
        (Type::Option(ty), Val::Option(Some(payload))) => match **ty {
            Type::Option(_) => tagged("some", Some(ty), Some(payload)),
            _ => literal(ty, payload),
        },
        (Type::Result(ok, _), Val::Result(Ok(payload))) => {
            tagged("ok", ok.as_deref(), payload.as_deref())
        }
        (Type::Result(_, err), Val::Result(Err(payload))) => {
            tagged("err", err.as_deref(), payload.as_deref())
        }
        (Type::Flags(count), Val::Flags(set)) => {
            let mut flags = String::new();
            for flag in 0..*count {
                let name = super::types::name(flag as usize);
                let _ = write!(flags, "{name}: {}, ", set.contains(&name));
            }
            format!("{{ {flags} }}")
        }
        (_, Val::Bool(value)) => value.to_string(),
        (_, Val::S8(value)) => value.to_string(),
        (_, Val::U8(value)) => value.to_string(),
        (_, Val::S16(value)) => value.to_string(),
        (_, Val::U16(value)) => value.to_string(),
        (_, Val::S32(value)) => value.to_string(),
        (_, Val::U32(value)) => value.to_string(),
        (_, Val::S64(value)) => format!("{value}n"),
        (_, Val::U64(value)) => format!("{value}n"),
        (_, Val::Float32(value)) => float((*value).into()),
        (_, Val::Float64(value)) => float(*value),
        (_, Val::Char(value)) => quoted(&value.to_string()),
        (_, Val::Enum(name)) => quoted(name),
        _ => "undefined".to_owned(),
    }
}

fn tagged(tag: &str, ty: Option<&Type>, payload: Option<&Val>) -> String {
    match (ty, payload) {
        (Some(ty), Some(payload)) => format!("{{ tag: \"{tag}\", val: {} }}", literal(ty, payload)),
        _ => format!("{{ tag: \"{tag}\" }}"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}Infinity")
    } else {
        format!("{value:?}")
    }
}

/// The class of typed arrays that a list of numbers is.
fn typed_array(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::S8 => "Int8Array",
        Type::U8 => "Uint8Array",
        Type::S16 => "Int16Array",
        Type::U16 => "Uint16Array",
        Type::S32 => "Int32Array",
        Type::U32 => "Uint32Array",
        Type::S64 => "BigInt64Array",
        Type::U64 => "BigUint64Array",
        Type::F32 => "Float32Array",
        Type::F64 => "Float64Array",
        _ => return None,
    })
}
