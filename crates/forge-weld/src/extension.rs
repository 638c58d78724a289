/// What an extension is set up with: [`ExtensionBuilder::state`](crate::ExtensionBuilder::state).
pub(crate) struct State {
    pub(crate) function: String,
    pub(crate) options: Vec<(String, String)>,
}

/// The Rust text that declares the extension, for `include!` in the extension crate.
///
/// The JavaScript stands in it as a string literal. `extension!` also takes a file name, but then
/// reads that file when a program starts, on whatever machine the program runs.
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

/// A raw string literal with enough `#` around it that nothing in the text can end it.
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
