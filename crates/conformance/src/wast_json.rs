//! Scripts as JSON, with their modules in files beside them: what WABT's `wast2json` and wasm-tools'
//! `json-from-wast` write.
//!
//! wasm-tools' form is the one that a script has here. WABT's differs in three ways: a module does not say which format
//! it has, integers are unsigned, and there are fields without a use.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use json_from_wast::Command;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::files;
use crate::script::{Directive, ParseError, Script};

/// The file name extension of these scripts.
pub const EXTENSION: &str = "json";

#[derive(Deserialize)]
struct Document {
    commands: Vec<Value>,
}

/// Whether the file at `path` is such a script, and no other JSON. One that is damaged is a script too, so that it fails
/// when it runs.
pub fn is_script(path: &Path) -> bool {
    let text = files::read(path).unwrap_or_default();
    let has_keys = ["\"source_filename\"", "\"commands\""].map(|key| text.contains(key));
    has_keys == [true; 2]
}

/// The files with the modules of the script at `path`.
pub fn module_files(path: &Path) -> Vec<PathBuf> {
    let text = files::read(path).unwrap_or_default();
    let Ok(Document { commands }) = serde_json::from_str(&text) else {
        return Vec::new();
    };
    let folder = path.parent().unwrap_or(path);
    let names = commands
        .iter()
        .filter_map(|command| command["filename"].as_str());
    names.map(|name| folder.join(name)).collect()
}

/// Parses the text of a script whose modules are in `folder`.
///
/// # Errors
///
/// When the text is no JSON, or has no list of commands. A command that is not understood, or whose module cannot be
/// read, is no error: its [`command`](Directive::command) says so, and the others still run.
pub fn parse(text: &str, folder: &Path) -> Result<Script<'static>, ParseError> {
    let document: Document = serde_json::from_str(text).map_err(|error| ParseError {
        line: u32::try_from(error.line()).unwrap_or(u32::MAX).max(1),
        message: format!("not a script in JSON: {error}"),
    })?;
    if document.commands.is_empty() {
        return Err(ParseError {
            line: 1,
            message: "there is no command in it".to_owned(),
        });
    }
    let mut modules = HashMap::new();
    let directives = document.commands.into_iter().map(|command| {
        let line = command["line"]
            .as_u64()
            .and_then(|line| line.try_into().ok());
        Directive {
            line: line.unwrap_or(1),
            command: self::command(command, folder, &mut modules),
        }
    });
    let directives = directives.collect();
    Ok(Script::new(directives, modules))
}

fn command(
    mut command: Value,
    folder: &Path,
    modules: &mut HashMap<String, Vec<u8>>,
) -> Result<Command<'static>, String> {
    if let Some(fields) = command.as_object_mut() {
        if let Some(name) = fields.get("filename").and_then(Value::as_str) {
            let name = name.to_owned();
            if !modules.contains_key(&name) {
                modules.insert(name.clone(), module(folder, &name)?);
            }
            let format = match name.ends_with(".wat") {
                true => "text",
                false => "binary",
            };
            fields
                .entry("module_type")
                .or_insert_with(|| Value::from(format));
        }
        sign_all(fields.get_mut("expected"));
        if let Some(action) = fields.get_mut("action").and_then(Value::as_object_mut) {
            sign_all(action.get_mut("args"));
        }
    }
    Command::deserialize(command).map_err(|error| error.to_string())
}

/// Reads the module in the file of that name.
fn module(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let is_inside = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !Path::new(name).components().all(is_inside) {
        return Err(format!("the module `{name}` is not beside the script"));
    }
    fs::read(folder.join(name)).map_err(|error| format!("cannot read the module `{name}`: {error}"))
}

fn sign_all(values: Option<&mut Value>) {
    for value in values.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(constant) = value.as_object_mut() {
            sign(constant);
        }
    }
}

/// Writes the integers of a constant with a sign.
fn sign(constant: &mut Map<String, Value>) {
    let name = constant.get("lane_type").or(constant.get("type"));
    let bits = match name.and_then(Value::as_str) {
        Some("i8") => 8,
        Some("i16") => 16,
        Some("i32") => 32,
        Some("i64") => 64,
        Some("either") => {
            sign_all(constant.get_mut("values"));
            return;
        }
        _ => return,
    };
    match constant.get_mut("value") {
        Some(Value::Array(lanes)) => lanes.iter_mut().for_each(|lane| sign_one(lane, bits)),
        Some(value) => sign_one(value, bits),
        None => {}
    }
}

fn sign_one(value: &mut Value, bits: u32) {
    let unsigned = value.as_str().and_then(|text| text.parse::<u64>().ok());
    if let Some(unsigned) = unsigned.filter(|unsigned| bits == 64 || unsigned >> bits == 0) {
        let signed = unsigned.cast_signed() << (64 - bits) >> (64 - bits);
        *value = Value::from(signed.to_string());
    }
}
