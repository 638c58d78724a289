//! The debug information of a module, in the [DWARF] format: from an offset in the code to a place in the source.
//!
//! wasmtime can do the same, but not for modules that nobody trusts. It reads sections of any size, and where they
//! refer to the same list many times, it copies the list each time.
//!
//! [DWARF]: https://yurydelendik.github.io/webassembly-dwarf/

mod line_table;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use wasmparser::{Parser, Payload};

use self::line_table::{LineSections, LineTable};
use crate::runtime::base::frame::SourceLocation;

/// The debug information of a module. It is read when it is first needed.
pub(crate) struct DebugInfo {
    /// The module's binary.
    wasm: Arc<[u8]>,
    sections: Sections,
    lines: OnceLock<LineTable>,
}

/// The places of sections in a binary. A section that is missing is empty.
#[derive(Default)]
struct Sections {
    /// The start of the code section's contents. Addresses in the debug information count from here.
    code_start: usize,
    debug_line: Range<usize>,
    debug_line_str: Range<usize>,
    debug_str: Range<usize>,
}

impl DebugInfo {
    /// Returns the debug information of a valid module, if the module has any.
    pub(crate) fn of(wasm: &Arc<[u8]>) -> Option<Self> {
        let sections = Sections::of(wasm);
        (!sections.debug_line.is_empty()).then(|| Self {
            wasm: wasm.clone(),
            sections,
            lines: OnceLock::new(),
        })
    }

    /// Returns the place in the source of the instruction at an offset in the binary.
    pub(crate) fn location(&self, offset: usize) -> Option<SourceLocation> {
        let address = offset.checked_sub(self.sections.code_start)?;
        let address = u32::try_from(address).ok()?;
        let lines = self.lines.get_or_init(|| {
            LineTable::read(LineSections {
                line: &self.wasm[self.sections.debug_line.clone()],
                line_str: &self.wasm[self.sections.debug_line_str.clone()],
                str: &self.wasm[self.sections.debug_str.clone()],
            })
        });
        lines.location(address)
    }
}

impl Sections {
    fn of(wasm: &[u8]) -> Self {
        let mut sections = Self::default();
        for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
            match payload {
                Payload::CodeSectionStart { range, .. } => sections.code_start = range.start,
                Payload::CustomSection(section) => {
                    let slot = match section.name() {
                        ".debug_line" => &mut sections.debug_line,
                        ".debug_line_str" => &mut sections.debug_line_str,
                        ".debug_str" => &mut sections.debug_str,
                        _ => continue,
                    };
                    let end = section.range().end;
                    *slot = end - section.data().len()..end;
                }
                _ => {}
            }
        }
        sections
    }
}
