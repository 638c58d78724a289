//! The line table of a module: the places in the source, by address.

use std::collections::HashMap;

use gimli::{
    AttributeValue, ColumnType, DebugLine, DebugLineOffset, EndianSlice, LineProgramHeader,
};
use gimli::{LineRow, LittleEndian, Reader as _};

use crate::runtime::base::frame::SourceLocation;
use crate::runtime::base::text;

/// The maximum number of rows of a table. A row takes 16 bytes.
const MAX_ROWS: usize = 2 << 20;
/// The maximum number of files of a table.
const MAX_FILES: usize = 1 << 16;
/// The maximum number of bytes of all line programs together. They are read at the first error of a module, outside of
/// fuel and deadline.
const MAX_SECTION_BYTES: usize = 32 << 20;
/// The maximum number of bytes of a line program. Some instructions make the reader keep 20 times their bytes.
const MAX_PROGRAM_BYTES: u64 = 16 << 20;
/// The maximum number of bytes of a line program's header. The reader keeps up to 90 times the bytes of its lists.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// The maximum number of characters of a file's path.
const MAX_PATH: usize = 200;
/// The size of addresses, in bytes, in versions of DWARF that do not state it in the line programs. Longer addresses
/// are read too, since their low bytes come first.
const ADDRESS_BYTES: u8 = 4;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The sections of debug information that say which lines there are.
#[derive(Clone, Copy)]
pub(super) struct LineSections<'a> {
    pub line: &'a [u8],
    pub line_str: &'a [u8],
    pub str: &'a [u8],
}

/// The places in the source of a module's instructions. The size is bounded, whatever the sections hold.
#[derive(Default)]
pub(super) struct LineTable {
    /// In the order of their start.
    sequences: Vec<Sequence>,
    rows: Vec<Row>,
    files: Vec<Box<str>>,
}

/// A range of addresses without gaps: mostly, the code of one function.
struct Sequence {
    start: u32,
    end: u32,
    /// The index of the first row. The rows are in the order of their addresses.
    first_row: u32,
    row_count: u32,
}

/// The place of the instructions from an address to the address of the next row.
struct Row {
    address: u32,
    /// 0 if there is none.
    line: u32,
    /// 0 if there is none.
    column: u32,
    file: u32,
}

impl LineTable {
    /// Reads a table. Parts that are malformed or too large are left out.
    pub(super) fn read(mut sections: LineSections<'_>) -> Self {
        sections.line = &sections.line[..sections.line.len().min(MAX_SECTION_BYTES)];
        let mut table = Self::default();
        let mut offset = 0;
        while let Some(size) = ProgramSize::read(&sections.line[offset..]) {
            if size.total_bytes <= MAX_PROGRAM_BYTES && size.header_bytes <= MAX_HEADER_BYTES {
                table.read_program(sections, offset);
            }
            // A size is at most the length of the remaining section.
            offset += size.total_bytes as usize;
        }
        table.sequences.sort_by_key(|sequence| sequence.start);
        table.sequences.shrink_to_fit();
        table.rows.shrink_to_fit();
        table
    }

    /// Returns the place of the instruction at an address.
    pub(super) fn location(&self, address: u32) -> Option<SourceLocation> {
        let after = self
            .sequences
            .partition_point(|sequence| sequence.start <= address);
        let sequence = &self.sequences[after.checked_sub(1)?];
        if address >= sequence.end {
            return None;
        }
        let rows = &self.rows[sequence.first_row as usize..][..sequence.row_count as usize];
        let after = rows.partition_point(|row| row.address <= address);
        let row = &rows[after.checked_sub(1)?];
        (row.line > 0).then(|| SourceLocation {
            file: self.files[row.file as usize].to_string(),
            line: row.line,
            column: (row.column > 0).then_some(row.column),
        })
    }

    /// Reads the line program at an offset in the section.
    fn read_program(&mut self, sections: LineSections<'_>, offset: usize) -> Option<()> {
        let section = DebugLine::new(sections.line, LittleEndian);
        let offset = DebugLineOffset(offset);
        let program = section.program(offset, ADDRESS_BYTES, None, None).ok()?;
        let mut files = Files {
            sections,
            indices: HashMap::new(),
            table: &mut self.files,
        };
        let mut rows = program.rows();
        let mut first_row = self.rows.len();
        while let Ok(Some((header, row))) = rows.next_row() {
            let address = u32::try_from(row.address()).ok()?;
            if row.end_sequence() {
                let start = self.rows.get(first_row).map_or(0, |row| row.address);
                // The linker moves the sequences of functions that it leaves out to address 0, or to the last one.
                if start > 0 && start < address {
                    self.sequences.push(Sequence {
                        start,
                        end: address,
                        first_row: first_row as u32,
                        row_count: (self.rows.len() - first_row) as u32,
                    });
                } else {
                    self.rows.truncate(first_row);
                }
                first_row = self.rows.len();
            } else if self.rows.len() < MAX_ROWS {
                let row = Row::new(address, row, files.index(header, row.file_index())?);
                let previous = self.rows[first_row..].last();
                if previous.is_none_or(|previous| !previous.is_at_place_of(&row)) {
                    self.rows.push(row);
                }
            }
        }
        // A sequence without an end.
        self.rows.truncate(first_row);
        Some(())
    }
}

impl Row {
    fn new(address: u32, row: &LineRow, file: u32) -> Self {
        let column = match row.column() {
            ColumnType::LeftEdge => 0,
            ColumnType::Column(column) => column.get(),
        };
        let line = row.line().map_or(0, |line| line.get());
        Self {
            address,
            line: u32::try_from(line).unwrap_or(0),
            column: u32::try_from(column).unwrap_or(0),
            file,
        }
    }

    fn is_at_place_of(&self, other: &Self) -> bool {
        (self.line, self.column, self.file) == (other.line, other.column, other.file)
    }
}

/// The size of a line program, as its first bytes state it.
struct ProgramSize {
    total_bytes: u64,
    header_bytes: u64,
}

impl ProgramSize {
    /// Reads the first bytes of a program. Returns `None` if it is malformed or `bytes` is too short for it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = EndianSlice::new(bytes, LittleEndian);
        let (length, format) = reader.read_initial_length().ok()?;
        let start = bytes.len() - reader.len();
        let mut program = reader.split(length).ok()?;
        if program.read_u16().ok()? >= 5 {
            // The sizes of addresses and of segment selectors.
            program.skip(2).ok()?;
        }
        Some(Self {
            total_bytes: (start + length) as u64,
            header_bytes: program.read_length(format).ok()? as u64,
        })
    }
}

/// The files of one line program.
struct Files<'t, 'a> {
    sections: LineSections<'a>,
    /// The indices in the table, by the program's indices.
    indices: HashMap<u64, u32>,
    table: &'t mut Vec<Box<str>>,
}

impl<'a> Files<'_, 'a> {
    /// Returns the index in the table of a file of the program. `None` if the table is full.
    fn index(&mut self, header: &LineProgramHeader<Slice<'a>>, file: u64) -> Option<u32> {
        if let Some(index) = self.indices.get(&file) {
            return Some(*index);
        }
        if self.table.len() >= MAX_FILES {
            return None;
        }
        let index = self.table.len() as u32;
        self.table.push(self.path(header, file).into());
        self.indices.insert(file, index);
        Some(index)
    }

    /// Returns the path of a file.
    fn path(&self, header: &LineProgramHeader<Slice<'a>>, file: u64) -> String {
        let Some(file) = header.file(file) else {
            return "<unknown>".to_owned();
        };
        let name = self.string(file.path_name());
        // Folder 0 is the one in which the compiler ran.
        let folder = match file.directory_index() {
            0 => None,
            _ => file.directory(header),
        };
        let path = match folder {
            Some(folder) if !name.starts_with('/') => {
                format!("{}/{name}", self.string(folder))
            }
            _ => name,
        };
        text::show_at_most(&path, MAX_PATH)
    }

    /// Returns the start of a string: many files may have the same long one.
    fn string(&self, value: AttributeValue<Slice<'a>>) -> String {
        let bytes = match value {
            AttributeValue::String(string) => string.slice(),
            AttributeValue::DebugLineStrRef(offset) => {
                self.sections.line_str.get(offset.0..).unwrap_or_default()
            }
            AttributeValue::DebugStrRef(offset) => {
                self.sections.str.get(offset.0..).unwrap_or_default()
            }
            _ => &[],
        };
        // A character has at most four bytes.
        let start = &bytes[..bytes.len().min(4 * MAX_PATH)];
        let end = start
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(start.len());
        String::from_utf8_lossy(&start[..end]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::runtime::debug_info::Sections;

    const GUESTS: [&[u8]; 3] = [
        include_bytes!("../../../tests/debugging/c_dwarf4.wasm"),
        include_bytes!("../../../tests/debugging/c_dwarf5.wasm"),
        include_bytes!("../../../tests/debugging/rust.wasm"),
    ];

    fn table(line: &[u8]) -> LineTable {
        LineTable::read(LineSections {
            line,
            line_str: b"",
            str: b"",
        })
    }

    /// A line program of DWARF 4 with these include folders and files, as the header holds them.
    fn program(folders: &[u8], files: &[u8], instructions: &[u8]) -> Vec<u8> {
        let mut lists = folders.to_vec();
        lists.push(0);
        lists.extend(files);
        lists.push(0);
        let fixed = [1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
        let header_bytes = (fixed.len() + lists.len()) as u32;
        let mut program = 4u16.to_le_bytes().to_vec();
        program.extend(header_bytes.to_le_bytes());
        program.extend(fixed);
        program.extend(lists);
        program.extend(instructions);
        let mut section = (program.len() as u32).to_le_bytes().to_vec();
        section.extend(program);
        section
    }

    const FILE: &[u8] = b"a.c\0\0\0\0";

    /// The instruction that sets the address.
    fn address(address: u32) -> Vec<u8> {
        let [a, b, c, d] = address.to_le_bytes();
        vec![0, 5, 2, a, b, c, d]
    }

    const END_SEQUENCE: [u8; 3] = [0, 1, 1];
    /// Advances the address by 1 and the line by 1, and adds a row.
    const NEXT: u8 = 13 + 5 + 1 + 14;

    fn show(table: &LineTable, address: u32) -> String {
        let location = table.location(address);
        location.map_or("-".to_owned(), |location| location.to_string())
    }

    #[test]
    fn an_address_has_the_place_of_the_row_before_it() {
        let instructions = [address(10), vec![1, NEXT, 2, 5, NEXT], END_SEQUENCE.into()].concat();
        let table = table(&program(b"", FILE, &instructions));
        let places: Vec<_> = (9..19).map(|address| show(&table, address)).collect();
        let two = "a.c:2";
        let want = ["-", "a.c:1", two, two, two, two, two, two, "-", "-"];
        assert_eq!(places, want);
    }

    #[test]
    fn sequences_that_the_linker_left_out_are_skipped() {
        for dead in [0, u32::MAX - 1] {
            let dead = [address(dead), vec![1, NEXT], END_SEQUENCE.into()].concat();
            let live = [address(1), vec![1, NEXT], END_SEQUENCE.into()].concat();
            let table = table(&program(b"", FILE, &[dead, live].concat()));
            assert_eq!(table.sequences.len(), 1);
            assert_eq!(show(&table, 1), "a.c:1");
        }
    }

    #[test]
    fn folders_come_before_files_except_the_first() {
        let files = b"a.c\0\0\0\0b.h\0\x01\0\0/c.h\0\x01\0\0d.h\0\x09\0\0";
        let row = |file| vec![4, file, NEXT];
        let instructions = [
            address(10),
            row(1),
            row(2),
            row(3),
            row(4),
            row(5),
            vec![NEXT],
            END_SEQUENCE.into(),
        ];
        let table = table(&program(b"include\0", files, &instructions.concat()));
        let places: Vec<_> = (11..16).map(|address| show(&table, address)).collect();
        let want = ["a.c:2", "include/b.h:3", "/c.h:4", "d.h:5", "<unknown>:6"];
        assert_eq!(places, want);
    }

    #[test]
    fn damaged_sections_are_read_as_far_as_they_go() {
        for wasm in GUESTS {
            let wasm: Arc<[u8]> = wasm.into();
            let sections = Sections::of(&wasm);
            let line = &wasm[sections.debug_line.clone()];
            let read = |line: &[u8]| {
                let table = LineTable::read(LineSections {
                    line,
                    line_str: &wasm[sections.debug_line_str.clone()],
                    str: &wasm[sections.debug_str.clone()],
                });
                let places = (0..500).filter_map(|address| table.location(address));
                places.count()
            };
            assert!(read(line) > 0);
            let mut damaged = line.to_vec();
            for i in 0..line.len() {
                read(&line[..i]);
                for value in [
                    0,
                    1,
                    0x7f,
                    0x80,
                    0xff,
                    line[i].wrapping_add(1),
                    line[i] ^ 0x40,
                ] {
                    damaged[i] = value;
                    read(&damaged);
                }
                damaged[i] = line[i];
            }
        }
    }

    #[test]
    fn rows_have_a_cap() {
        let mut instructions = address(10);
        instructions.resize(instructions.len() + MAX_ROWS + 1000, NEXT);
        instructions.extend(END_SEQUENCE);
        let table = table(&program(b"", FILE, &instructions));
        assert_eq!(table.rows.len(), MAX_ROWS);
        assert_eq!(show(&table, 11), "a.c:2");
    }

    #[test]
    fn files_have_a_cap_and_short_paths() {
        let name = [b"\x1b".repeat(5000), b"\0\0\0\0".to_vec()].concat();
        let long = table(&program(
            b"",
            &name,
            &[address(10), vec![NEXT, NEXT], END_SEQUENCE.into()].concat(),
        ));
        let path = long.location(11).unwrap().file;
        assert!(
            path.starts_with("\\u{1b}") && path.chars().count() < MAX_PATH + 10,
            "{path}"
        );

        let mut files = Vec::new();
        let mut instructions = address(10);
        for file in 1..=MAX_FILES as u32 + 10 {
            files.extend(b"a\0\0\0\0");
            let low = (file & 0x7f) as u8 | 0x80;
            let middle = (file >> 7 & 0x7f) as u8 | 0x80;
            instructions.extend([4, low, middle, (file >> 14) as u8, NEXT]);
        }
        instructions.extend(END_SEQUENCE);
        let table = table(&program(b"", &files, &instructions));
        assert_eq!(table.files.len(), MAX_FILES);
    }

    #[test]
    fn sections_are_read_to_a_cap() {
        let instructions = [address(10), vec![1, NEXT], END_SEQUENCE.into()].concat();
        let small = program(b"", FILE, &instructions);
        // Skipped, since it is too large itself.
        let filler = vec![1; MAX_SECTION_BYTES - 2 * small.len()];
        let filler = program(b"", FILE, &filler);
        let other = [address(20), vec![1, NEXT], END_SEQUENCE.into()].concat();
        let other = program(b"", FILE, &other);
        let table = table(&[filler, small, other.clone(), other].concat());
        assert_eq!(show(&table, 10), "a.c:1");
        assert!(table.location(20).is_none());
    }

    #[test]
    fn programs_that_are_too_large_are_skipped() {
        let instructions = [address(10), vec![1, NEXT], END_SEQUENCE.into()].concat();
        let small = program(b"", FILE, &instructions);
        let header = program(
            &b"x\0".repeat(MAX_HEADER_BYTES as usize / 2),
            FILE,
            &instructions,
        );
        let mut long = [address(100), vec![1, NEXT], END_SEQUENCE.into()].concat();
        long.resize(MAX_PROGRAM_BYTES as usize, 1);
        let whole = program(b"", FILE, &long);
        for large in [header, whole] {
            let table = table(&[large, small.clone()].concat());
            assert_eq!(table.sequences.len(), 1);
            assert_eq!(show(&table, 10), "a.c:1");
        }
    }
}
