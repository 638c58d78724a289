//! What the time to parse a text depends on.

use wast::lexer::{Lexer, TokenKind};

/// The number of labels that the parser of the text format compares in the time of one step.
const LABELS_PER_STEP: u64 = 32;

/// The number of pairs of items of one list that the parser takes one step for. 8 ns a pair were seen.
const PAIRS_PER_STEP: u64 = 2;

/// The nesting of a text, and the sizes of its lists. A text that the lexer refuses has those of its start: the parser
/// gets no further.
#[derive(Default)]
pub(super) struct TextProfile {
    /// The depth of nested parentheses, and of blocks without parentheses.
    pub(super) deepest: u64,
    /// The sum of the nesting depths of all names. The parser searches the enclosing blocks for a label one after
    /// another.
    lookups: u64,
    /// The sum of the squares of the sizes of all definitions and types of components. For each item with a type or
    /// alias in it, the parser puts a new item before it, and moves all that come after.
    pairs: u64,
}

/// A list that is open.
struct List {
    /// The number of parentheses around its items.
    parentheses: u64,
    /// Whether it is a core module, or the type of one.
    is_core: bool,
    /// The number of lists in it, but for those in such a list in it: each may be a type that the parser takes out. Of a
    /// core module, twice the number of items that its type could have, since a module's other items stay where they are.
    items: u64,
}

impl List {
    fn new(parentheses: u64, is_core: bool) -> Self {
        Self {
            parentheses,
            is_core,
            items: 0,
        }
    }
}

impl TextProfile {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut this = Self::default();
        let Ok(text) = std::str::from_utf8(text) else {
            return this;
        };
        // Apart from each other, since the parser takes an `end` without a block.
        let (mut parentheses, mut blocks) = (0u64, 0u64);
        let mut lists: Vec<List> = Vec::new();
        // The last two tokens that are neither comments nor spaces.
        let (mut last, mut before) = ("", "");
        for token in Lexer::new(text).iter(0) {
            let Ok(token) = token else { break };
            let word = match token.kind {
                TokenKind::LineComment | TokenKind::BlockComment | TokenKind::Whitespace => {
                    continue;
                }
                _ => token.src(text),
            };
            match token.kind {
                TokenKind::LParen => {
                    parentheses += 1;
                    if let Some(list) = lists.last_mut().filter(|list| !list.is_core) {
                        list.items += 1;
                    }
                }
                TokenKind::RParen => {
                    if let Some(list) = lists.pop_if(|list| list.parentheses == parentheses) {
                        this.close(&list);
                    }
                    parentheses = parentheses.saturating_sub(1);
                }
                TokenKind::Id => this.lookups = this.lookups.saturating_add(parentheses + blocks),
                TokenKind::Keyword => match (before, last, word) {
                    (_, "(", "component" | "instance") => lists.push(List::new(parentheses, false)),
                    (_, "(", "module") if !lists.is_empty() => {
                        lists.push(List::new(parentheses, true));
                    }
                    ("(", "core", "module") => lists.push(List::new(parentheses, true)),
                    (_, "(", "import" | "export" | "type" | "alias") => {
                        let is_in =
                            |list: &&mut List| list.is_core && parentheses == list.parentheses + 1;
                        if let Some(list) = lists.last_mut().filter(is_in) {
                            list.items += 2;
                        }
                    }
                    (_, "(", _) => {}
                    (_, _, "block" | "loop" | "if" | "try" | "try_table") => blocks += 1,
                    (_, _, "end") => blocks = blocks.saturating_sub(1),
                    _ => {}
                },
                _ => {}
            }
            this.deepest = this.deepest.max(parentheses + blocks);
            (before, last) = (last, word);
        }
        while let Some(list) = lists.pop() {
            this.close(&list);
        }
        this
    }

    fn close(&mut self, list: &List) {
        let pairs = list.items.saturating_mul(list.items);
        self.pairs = self.pairs.saturating_add(pairs);
    }

    /// The steps that the parser takes beside those for each byte.
    pub(super) fn steps(&self) -> u64 {
        (self.lookups / LABELS_PER_STEP).saturating_add(self.pairs / PAIRS_PER_STEP)
    }
}
