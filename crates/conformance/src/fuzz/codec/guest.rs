//! The component that a case runs in: it shows the values that it gets as the bytes of its memory, and makes values of such
//! bytes.

use super::abi::{Core, Encoding, elem_size, flatten, flatten_all, record_size};
use super::types::Type;

/// The number of bytes at the start of the memory in which a case puts and finds its bytes.
pub const AREA: u32 = 1 << 12;

/// Where the component puts the result of its import, or the core value of it.
pub const RESULT: u32 = AREA;

/// The first byte that the component may allocate: one that is not aligned, so that each address has to be.
pub const HEAP: u32 = (1 << 13) + 1;

/// The number of bytes of its memory.
pub const MEMORY: u32 = 1 << 16;

/// The most bytes of a result: it and the pair of `get` have to fit in front of what the component allocates.
const MAX_RESULT: u32 = HEAP - RESULT - 16;

/// The most core values that parameters are outside of memory.
const MAX_FLAT_PARAMS: usize = 16;

/// The types of a case: of the parameters of its functions. The first one is also that of their results.
#[derive(Clone, Debug)]
pub struct Signature {
    pub params: Vec<Type>,
    pub encoding: Encoding,
}

impl Signature {
    /// Whether the component has room for the values in its memory.
    pub fn fits(&self) -> bool {
        elem_size(self.result()) <= MAX_RESULT && record_size(&self.params) <= AREA / 2
    }

    /// The type of the results.
    pub fn result(&self) -> &Type {
        &self.params[0]
    }

    /// The core values that the parameters are.
    pub fn flat_params(&self) -> Vec<Core> {
        let flat = flatten_all(&self.params);
        match flat.len() <= MAX_FLAT_PARAMS {
            true => flat,
            false => vec![Core::I32],
        }
    }

    /// Whether the parameters are in memory, at the address that is the only core value.
    pub fn params_are_in_memory(&self) -> bool {
        flatten_all(&self.params).len() > MAX_FLAT_PARAMS
    }

    /// The core value that the result is, unless it is in memory.
    pub fn flat_result(&self) -> Option<Core> {
        match *flatten(self.result()) {
            [core] => Some(core),
            _ => None,
        }
    }

    /// The component in the text format. Its exports are:
    ///
    /// - `take`, with the parameters: writes its core values to the area, eight bytes each;
    /// - `give`, with the result: returns the core value at the start of the area, which is its address if it is in memory;
    /// - `relay`: calls the import with the core values in the area, and writes the result or its core value to [`RESULT`];
    /// - `echo`, with parameters and result: calls the import, and returns its result;
    /// - `set`: writes bytes to the area, and frees what was allocated;
    /// - `get`: returns bytes of the memory.
    pub fn component(&self) -> String {
        let mut names = Vec::new();
        let params: Vec<String> = self.params.iter().map(|ty| ty.text(&mut names)).collect();
        // A type is named once for each use: those of the result are the ones of the first parameter.
        let result = params[0].clone();
        let params: String = (0..)
            .zip(&params)
            .map(|(index, ty): (u32, _)| format!("(param \"p{index}\" {ty}) "))
            .collect();
        let flat = self.flat_params();
        let core_params: String = flat
            .iter()
            .map(|core| format!("{} ", core.text()))
            .collect();
        let core_result = self.flat_result();
        let result_type = core_result.unwrap_or(Core::I32).text();
        let (import_params, import_result) = match core_result {
            Some(core) => (core_params.clone(), format!("(result {})", core.text())),
            None => (format!("{core_params} i32"), String::new()),
        };
        let encoding = match self.encoding {
            Encoding::Utf8 => "utf8",
            Encoding::Utf16 => "utf16",
            Encoding::Latin1OrUtf16 => "latin1+utf16",
        };
        let stores: String = flat
            .iter()
            .enumerate()
            .map(|(index, core)| {
                let at = 8 * index;
                format!(
                    "({}.store (i32.const {at}) (local.get {index}))\n",
                    core.text()
                )
            })
            .collect();
        let loads: String = flat
            .iter()
            .enumerate()
            .map(|(index, core)| format!("({}.load (i32.const {})) ", core.text(), 8 * index))
            .collect();
        let locals: String = (0..flat.len())
            .map(|index| format!("(local.get {index}) "))
            .collect();
        let (relay, echo) = match core_result {
            Some(core) => (
                format!(
                    "({}.store (i32.const {RESULT}) (call $host {loads}))",
                    core.text()
                ),
                format!("(call $host {locals})"),
            ),
            None => (
                format!("(call $host {loads} (i32.const {RESULT}))"),
                format!("(call $host {locals} (i32.const {RESULT})) (i32.const {RESULT})"),
            ),
        };
        let pages = MEMORY >> 16;
        let names = names.concat();
        // The pair of `get` is behind everything that `relay` may write.
        let pair = RESULT + elem_size(self.result()).next_multiple_of(8);
        let options = format!("(memory $memory) (realloc $realloc) string-encoding={encoding}");
        format!(
            r#"(component
  {names}
  (import "host" (func $host {params} (result {result})))
  (core module $lib
    (memory (export "memory") {pages})
    (global $next (export "next") (mut i32) (i32.const {HEAP}))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $new)))
      (if (i32.gt_u (global.get $next) (i32.const {MEMORY})) (then unreachable))
      (memory.copy (local.get $at) (local.get $old)
        (select (local.get $size) (local.get $new) (i32.lt_u (local.get $size) (local.get $new))))
      (local.get $at)))
  (core instance $lib (instantiate $lib))
  (alias core export $lib "memory" (core memory $memory))
  (alias core export $lib "realloc" (core func $realloc))
  (core func $host (canon lower (func $host) {options}))
  (core module $m
    (import "" "memory" (memory 1))
    (import "" "next" (global $next (mut i32)))
    (import "" "host" (func $host (param {import_params}) {import_result}))
    (func (export "take") (param {core_params})
      {stores})
    (func (export "give") (result {result_type}) ({result_type}.load (i32.const 0)))
    (func (export "relay") {relay})
    (func (export "echo") (param {core_params}) (result {result_type}) {echo})
    (func (export "set") (param i32 i32)
      (memory.copy (i32.const 0) (local.get 0) (local.get 1))
      (global.set $next (i32.const {HEAP})))
    (func (export "get") (param i32 i32) (result i32)
      (i32.store (i32.const {pair}) (local.get 0))
      (i32.store (i32.const {}) (local.get 1))
      (i32.const {pair})))
  (core instance $m (instantiate $m (with "" (instance
    (export "memory" (memory $memory)) (export "next" (global $lib "next")) (export "host" (func $host))))))
  (func (export "take") {params} (canon lift (core func $m "take") {options}))
  (func (export "give") (result {result}) (canon lift (core func $m "give") {options}))
  (func (export "relay") (canon lift (core func $m "relay") {options}))
  (func (export "echo") {params} (result {result}) (canon lift (core func $m "echo") {options}))
  (func (export "set") (param "bytes" (list u8)) (canon lift (core func $m "set") {options}))
  (func (export "get") (param "at" u32) (param "length" u32) (result (list u8))
    (canon lift (core func $m "get") {options})))"#,
            pair + 4,
        )
    }
}
