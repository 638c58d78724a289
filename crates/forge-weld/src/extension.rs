/// The setup of the state of an extension: [`ExtensionBuilder::state`](crate::ExtensionBuilder::state).
pub(crate) struct State {
    pub(crate) function: String,
    pub(crate) options: Vec<(String, String)>,
}

/// The Rust text that declares the extension, for `include!` in the extension crate.
/// The JavaScript is a string literal in it. `extension!` also takes a file name, but then a program would read that
/// file when it starts, and need it on each machine.
pub(crate) fn rust(
    name: &str,
    specifier: &str,
    ops: &[String],
    state: Option<&State>,
    javascript: &str,
) -> String {
    let ops: String = ops.iter().map(|op| format!("        {op},\n")).collect();
    let source = raw_string(javascript);
    let state = state.map(state_lines).unwrap_or_default();
    format!(
        "deno_core::extension!(
    {name},
    ops = [
{ops}    ],
    esm_entry_point = {specifier:?},
    esm = [{specifier:?} = {{ source = {source} }}],
{state});
"
    )
}

fn state_lines(State { function, options }: &State) -> String {
    if options.is_empty() {
        return format!("    state = {function},\n");
    }
    let fields: Vec<String> = options
        .iter()
        .map(|(name, ty)| format!("{name}: {ty}"))
        .collect();
    let arguments: Vec<String> = options
        .iter()
        .map(|(name, _)| format!("options.{name}"))
        .collect();
    format!(
        "    options = {{ {} }},\n    state = |state, options| {function}(state, {}),\n",
        fields.join(", "),
        arguments.join(", "),
    )
}

/// A raw string literal with so many `#` that no part of the text ends it.
fn raw_string(text: &str) -> String {
    let longest = text
        .split('"')
        .skip(1)
        .map(|after| after.bytes().take_while(|byte| *byte == b'#').count() + 1)
        .max()
        .unwrap_or(0);
    let hashes = "#".repeat(longest);
    format!("r{hashes}\"{text}\"{hashes}")
}
