//! Modules that would cost too much time or memory before they are compiled.

use serde_json::json;

use super::{Attack, attacks};

/// Functions that make binary modules from bytes and lists of bytes.
const BINARY: &str = r#"
    const leb = (number) => {
        const bytes = [];
        do {
            const low = number % 128;
            number = Math.floor(number / 128);
            bytes.push(number > 0 ? low + 128 : low);
        } while (number > 0);
        return bytes;
    };
    const bytes = (...parts) => join(parts);
    const join = (parts) => {
        const lists = parts.map((part) => typeof part === "number" ? [part] : part);
        const all = new Uint8Array(lists.reduce((sum, list) => sum + list.length, 0));
        let end = 0;
        for (const list of lists) {
            all.set(list, end);
            end += list.length;
        }
        return all;
    };
    const times = (count, list) => {
        const all = new Uint8Array(count * list.length);
        all.set(list);
        for (let end = list.length; end < all.length; end *= 2) all.copyWithin(end, 0, end);
        return all;
    };
    const sized = (list) => bytes(leb(list.length), list);
    const section = (id, list) => bytes(id, sized(list));
    const entries = (id, count, list) => section(id, bytes(leb(count), times(count, list)));
    const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const FUNC = [0x60, 0, 0];
    /** A module of one function of this type. */
    const func = (type, ...body) => bytes(HEADER, entries(1, 1, type), entries(3, 1, [0]),
        section(10, bytes(1, sized(bytes(...body, 0x0b)))));
    /** The results for a module: the code that `compile` throws, and the answer of `validateAsync`. */
    const refused = async (module) => {
        const validated = await caught(async () => { throw { message: `${await validateAsync(module)}` }; });
        const compiled = await caught(() => compile(module));
        return [compiled.code, validated.message];
    };
"#;

fn attack(script: &str) -> Attack {
    Attack::new(format!("{BINARY}\n{script}"))
}

attacks! {
    /// Each local is alive around each loop: 350 KB have half a billion pairs of a loop and a local, and every count
    /// is below its cap.
    fn loops_that_carry_many_locals_are_not_listed_one_by_one() {
        attack(r#"
            const [loops, locals] = [9_900, 49_900];
            const gets = join(Array.from({ length: locals }, (_, i) => bytes(0x20, leb(i), 0x1a)));
            const module = func(FUNC, 1, leb(locals), 0x7f, times(loops, [0x03, 0x40]), gets, times(loops, [0x0b]));
            const error = await caught(() => compile(module));
            return [error.code, /would take more than can be estimated to compile.*max_compile_ms/.test(error.message), await validateAsync(module)];"#)
            => json!([5000, true, true])
    }

    /// Each entry takes two bytes in the module, and far more in any list that keeps entries.
    fn more_entries_than_a_module_can_have_take_no_memory() {
        attack(r#"
            const count = 8_000_000;
            const modules = [[1, [0x5f, 0]], [2, [0, 0, 2, 0, 0]], [5, [0, 0]], [13, [0, 0]], [3, [0]]];
            const results = [];
            for (const [id, list] of modules) {
                const each = id === 2 ? count / 4 : count;
                const types = id === 1 ? [] : entries(1, 1, FUNC);
                results.push(await refused(bytes(HEADER, types, entries(id, each, list))));
            }
            return results;"#)
            => json!([[5000, "false"], [5000, "false"], [5000, "false"], [5000, "false"], [5000, "false"]])
    }

    /// Too many locals to count one by one, and calls that multiply their number.
    fn numbers_that_are_far_too_large_are_not_multiplied() {
        attack(r#"
            const most = [0xff, 0xff, 0xff, 0xff, 0x0f];
            const declared = 200_000;
            const locals = func(FUNC, leb(declared), times(declared, bytes(most, 0x6f)), times(200_000, [0x10, 0]));
            // Arrays of four billion elements, and as many operands.
            const array = bytes(HEADER, section(1, bytes(2, FUNC, 0x5e, 0x7f, 1)), entries(3, 1, [0]),
                section(10, bytes(1, sized(bytes(0, times(200_000, bytes(0xfb, 8, 1, most)), 0x0b)))));
            const counts = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13].map((id) => bytes(HEADER, entries(1, 1, FUNC), section(id, most)));
            const results = [];
            for (const module of [locals, array, ...counts]) results.push(await refused(module));
            return results.every(([code, valid]) => code === 5000 && (valid === "false" || valid.includes("max_async_validation_steps)")));"#)
            => json!(true)
    }

    /// A component in a component, hundreds of thousands of times.
    fn components_in_components_are_not_entered() {
        attack(r#"
            const header = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0];
            const heads = [];
            for (let depth = 0, size = 0; depth < 300_000; depth++) {
                const head = depth === 0 ? header : bytes(header, 4, leb(size));
                heads.push(head);
                size += head.length;
            }
            const module = join(heads.reverse());
            return refused(module);"#)
            => json!([5000, "false"])
    }

    /// A walk that looked at every write, or every operand, at each call would take far too long: a call is two bytes.
    fn a_call_does_not_visit_every_write_and_operand() {
        attack(r#"
            const globals = 50_000;
            const global = section(6, bytes(leb(globals), times(globals, [0x7f, 1, 0x41, 0, 0x0b])));
            const sets = join(Array.from({ length: globals }, (_, i) => bytes(0x41, 7, 0x24, leb(i))));
            const calls = times(900_000, [0x41, 7, 0x24, 0, 0x10, 0]);
            const written = bytes(HEADER, entries(1, 1, FUNC), entries(3, 1, [0]), global,
                section(10, bytes(1, sized(bytes(0, sets, calls, 0x0b)))));
            // A thousand operands below a block whose code is unreachable.
            const wide = bytes(0x60, leb(1000), times(1000, [0x7f]), 0);
            const below = bytes(times(1000, [0x41, 7]), 0x02, 0x40, 0x00, times(3_700_000, [0x10, 0]), 0x0b, 0x10, 0);
            const body = sized(bytes(0, below, 0x0b));
            const operands = bytes(HEADER, section(1, bytes(2, wide, FUNC)), section(3, bytes(7, 0, times(6, [1]))),
                section(10, bytes(7, sized(bytes(0, 0x0b)), body, body, body, body, body, body)));
            return [await codeOf(() => compile(written)), await codeOf(() => compile(operands))];"#)
            => json!([5000, 5000])
    }

    /// Millions of instructions without effects, of one byte each, and the last result is used. The walk keeps at
    /// most as many of them as a function may have.
    fn instructions_without_effects_are_not_all_kept() {
        attack(r#"
            const module = func([0x60, 1, 0x7f, 1, 0x7f], 0, 0x20, 0, times(7_600_000, [0x69]));
            return [await codeOf(() => compile(module))];"#)
            => json!([5000])
    }

    /// The walk needs facts about locals before a body and at each branch. It does not visit all locals each time.
    fn a_branch_does_not_visit_every_local() {
        attack(r#"
            const INT = 0x7f, IF = [0x04, 0x40], BLOCK = [0x02, 0x40], LOOP = [0x03, 0x40], END = 0x0b, DROP = 0x1a;
            const number = [0x41, 0], branchIf = (depth) => bytes(number, 0x0d, leb(depth));
            const [locals, loops] = [49_900, 9_900];
            const declared = bytes(1, leb(locals), INT);
            const all = (each) => join(Array.from({ length: locals }, (_, i) => each(leb(i))));
            const read = all((local) => bytes(0x20, local, DROP)), set = all((local) => bytes(number, 0x21, local));
            const beyond = [0xff, 0xff, 0xff, 0xff, 0x0f];
            const bodies = {
                "a local that no function has": () => bytes(0, number, IF, number, 0x21, beyond, END, 0x20, beyond, DROP),
                "locals that are read in many loops first":
                    () => bytes(declared, times(loops, LOOP), read, times(loops, bytes(branchIf(0), END))),
                "branches out of many loops":
                    () => bytes(0, BLOCK, times(loops, LOOP), times(500_000, branchIf(loops)), times(loops + 1, [END])),
                "a table of a million branches, past all locals":
                    () => bytes(declared, set, BLOCK, BLOCK, set, number, 0x0e, leb(2_000_000), times(1_000_000, [0, 1]), 0,
                        END, set, END, read),
                "branches past all locals":
                    () => bytes(declared, BLOCK, times(500_000, branchIf(0)), set, END, read),
                "blocks in blocks, past all locals":
                    () => bytes(declared, times(9_000, BLOCK), times(9_000, bytes(branchIf(0), number, 0x21, 0, END)), set, read),
                "loops that end in many blocks":
                    () => bytes(0, 0x20, 0, DROP, times(500_000, BLOCK), times(500_000, bytes(LOOP, END)),
                        times(500_000, [END])),
                "branches to each of many loops":
                    () => bytes(0, number, 0x21, 0, times(60_000, LOOP),
                        join(Array.from({ length: 60_000 }, (_, i) => branchIf(i))), times(60_000, [END])),
                "a handler many times, past all locals":
                    () => bytes(declared, set, BLOCK, 0x1f, 0x40, leb(1_000_000), times(1_000_000, [2, 0]), END, set, END, read),
                "millions of blocks in blocks": () => bytes(0, times(1_500_000, BLOCK)),
                "millions of exceptions": () => bytes(0, times(3_000_000, [0x0a])),
            };
            const codes = [];
            for (const kind in bodies) {
                const code = await codeOf(() => compile(func([0x60, 1, INT, 0], bodies[kind]())));
                if (code !== 5000) codes.push([kind, code]);
            }
            return codes;"#)
            => json!([])
    }

    /// A function that returns a thousand values is called ten million times: a call is counted without visiting its
    /// values.
    fn a_wide_call_is_counted_in_one_step() {
        attack(r#"
            const wide = bytes(0x60, 0, leb(1000), times(1000, [0x7f]));
            const body = sized(bytes(0, times(3_800_000, [0x10, 0]), 0x0b));
            const module = bytes(HEADER, entries(1, 1, wide), entries(3, 4, [0]), section(10, bytes(4, body, body, body, body)));
            const error = await caught(() => validateAsync(module));
            return [await codeOf(() => compile(module)), error.message.replace(/\d+ steps/, "many steps")];"#)
            => json!([5000, "validating takes many steps, which exceeds the cap of 2000000000 (max_async_validation_steps)"])
    }
}
