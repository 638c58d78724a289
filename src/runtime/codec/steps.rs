//! What has to be done with the bytes of a value, besides the copy of all of them.

use super::layout::{Layout, align_size, discriminant_size, flags_size};
use super::shape::{Shape, Types};

/// The bytes that a JavaScript value may take besides those that it was made of.
const VALUE_ROOM: u64 = 40;

/// A step for a part of a value, at an offset in the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Bool {
        at: u32,
    },
    Char {
        at: u32,
    },
    /// Bytes that hold so many flags, and maybe bits for more.
    Flags {
        at: u32,
        count: u32,
    },
    /// Bytes that hold no value.
    Gap {
        at: u32,
        size: u32,
    },
    Text {
        at: u32,
    },
    List {
        at: u32,
        element: Element,
    },
    Variant {
        at: u32,
        /// The size of the discriminant.
        width: u32,
        count: u32,
        /// The steps of each case. Empty if no case has any.
        cases: Box<[Box<[Step]>]>,
    },
    /// The same steps for each element of a list of a fixed length.
    Repeat {
        at: u32,
        /// The size of an element.
        size: u32,
        count: u32,
        steps: Box<[Step]>,
    },
    /// A type that the codec does not know.
    Refuse,
}

/// The elements of a list; or the head of an image, which is one element.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) size: u32,
    pub(crate) align: u32,
    pub(super) steps: Box<[Step]>,
    /// The bytes that a value may take in the host's language.
    pub(super) room: u64,
}

/// Which steps there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    All,
    /// Only those that lead to strings and lists.
    Pointers,
}

impl Element {
    /// The elements of a list of this type.
    pub(super) fn of<T: Types>(types: &T, ty: T::Ref, include: Include) -> Self {
        let mut builder = Builder { types, include };
        let mut steps = Vec::new();
        let Layout { size, align, .. } = types.layout(ty);
        let room = match types.shape(ty) {
            // A typed array has the bytes themselves.
            Shape::Number(number) => number.size.into(),
            _ => builder.add(ty, 0, &mut steps),
        };
        Self {
            size,
            align,
            steps: steps.into(),
            room,
        }
    }

    /// The head of an image whose fields have these types, and this layout together.
    pub(crate) fn head<T: Types>(
        types: &T,
        fields: impl IntoIterator<Item = T::Ref>,
        Layout { size, align, .. }: Layout,
    ) -> Self {
        let mut builder = Builder {
            types,
            include: Include::All,
        };
        let mut steps = Vec::new();
        let room = builder.add_fields(fields, 0, size, &mut steps);
        Self {
            size,
            align,
            steps: steps.into(),
            room,
        }
    }
}

struct Builder<'a, T> {
    types: &'a T,
    include: Include,
}

impl<T: Types> Builder<'_, T> {
    fn push(&self, step: Step, steps: &mut Vec<Step>) {
        if self.include == Include::All {
            steps.push(step);
        }
    }

    fn push_gap(&self, from: u32, to: u32, steps: &mut Vec<Step>) {
        if from < to {
            let size = to - from;
            self.push(Step::Gap { at: from, size }, steps);
        }
    }

    /// Adds the steps of a value of this type at an offset. Returns the bytes that it may take in the host's language.
    fn add(&mut self, ty: T::Ref, at: u32, steps: &mut Vec<Step>) -> u64 {
        let layout = self.types.layout(ty);
        match self.types.shape(ty) {
            Shape::Number(_) => {}
            Shape::Bool => self.push(Step::Bool { at }, steps),
            Shape::Char => self.push(Step::Char { at }, steps),
            Shape::Text => steps.push(Step::Text { at }),
            Shape::List(element) => {
                let element = Element::of(self.types, element, self.include);
                steps.push(Step::List { at, element });
            }
            Shape::FixedLengthList { element, length } => {
                return self.add_repeated(element, length, at, steps);
            }
            Shape::Record(count) => {
                let types = self.types;
                let fields = (0..count).filter_map(|index| types.part(ty, index));
                return self.add_fields(fields, at, layout.size, steps);
            }
            Shape::Variant(count) => return self.add_variant(ty, count, at, steps),
            Shape::Flags(count) => {
                let bits = u64::from(flags_size(count).size) * 8;
                if count as u64 != bits {
                    let count = count as u32;
                    self.push(Step::Flags { at, count }, steps);
                }
                return VALUE_ROOM.saturating_mul(count as u64 + 1);
            }
            Shape::Other => steps.push(Step::Refuse),
        }
        VALUE_ROOM
    }

    fn add_repeated(&mut self, element: T::Ref, count: u32, at: u32, steps: &mut Vec<Step>) -> u64 {
        let Element {
            size,
            steps: repeated,
            room,
            ..
        } = Element::of(self.types, element, self.include);
        if !repeated.is_empty() {
            steps.push(Step::Repeat {
                at,
                size,
                count,
                steps: repeated,
            });
        }
        room.saturating_mul(count.into()).saturating_add(VALUE_ROOM)
    }

    /// Adds the steps of a record at an offset. `size` is that of the record.
    fn add_fields(
        &mut self,
        fields: impl IntoIterator<Item = T::Ref>,
        start: u32,
        size: u32,
        steps: &mut Vec<Step>,
    ) -> u64 {
        let mut room = VALUE_ROOM;
        let mut end = start;
        for field in fields {
            let layout = self.types.layout(field);
            // The start of a record is aligned as its fields are.
            let at = align_size(end, layout.align);
            self.push_gap(end, at, steps);
            room = room.saturating_add(self.add(field, at, steps));
            end = at.saturating_add(layout.size);
        }
        self.push_gap(end, start.saturating_add(size), steps);
        room
    }

    fn add_variant(&mut self, ty: T::Ref, count: usize, at: u32, steps: &mut Vec<Step>) -> u64 {
        let types = self.types;
        let end = at.saturating_add(types.layout(ty).size);
        let width = discriminant_size(count);
        let payloads = || (0..count).map(|case| types.part(ty, case));
        let align = payloads().flatten().map(|ty| types.layout(ty).align).max();
        let payload_at = at.saturating_add(align_size(width, align.unwrap_or(1)));
        let mut room = 0;
        let mut cases = Vec::with_capacity(count);
        for payload in payloads() {
            let mut steps = Vec::new();
            match payload {
                Some(payload) => {
                    self.push_gap(at.saturating_add(width), payload_at, &mut steps);
                    room = self.add(payload, payload_at, &mut steps).max(room);
                    let size = types.layout(payload).size;
                    self.push_gap(payload_at.saturating_add(size), end, &mut steps);
                }
                None => self.push_gap(at.saturating_add(width), end, &mut steps),
            }
            cases.push(steps.into_boxed_slice());
        }
        if cases.iter().all(|steps| steps.is_empty()) {
            cases.clear();
        }
        if self.include == Include::All || !cases.is_empty() {
            steps.push(Step::Variant {
                at,
                width,
                count: count as u32,
                cases: cases.into(),
            });
        }
        room.saturating_add(2 * VALUE_ROOM)
    }
}
