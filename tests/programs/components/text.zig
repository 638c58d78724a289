//! The world `text` in Zig. The names of exports and imports, and the layout of values in memory, are those of the
//! canonical ABI.

const std = @import("std");

const heap = std.heap.wasm_allocator;
const stats = "test:text/stats@0.1.0";

const String = extern struct {
    bytes: [*]u8,
    length: usize,

    fn of(text: []u8) String {
        return .{ .bytes = text.ptr, .length = text.len };
    }
};
const Word = extern struct { text: String, count: u32 };
const Words = extern struct {
    tag: enum(u8) { ok, err },
    val: extern union {
        ok: extern struct { words: [*]Word, count: usize },
        err: extern struct { tag: enum(u8) { empty, too_long }, length: u32 },
    },
};
const Counter = struct { value: u32 };

const log = struct {
    extern "test:text/log@0.1.0" fn write(bytes: [*]const u8, length: usize) void;
};
const resource = struct {
    extern "[export]test:text/stats@0.1.0" fn @"[resource-new]counter"(counter: *Counter) u32;
};

/// The host allocates here what it gives to the program.
fn reallocate(old: ?[*]u8, old_size: usize, alignment: usize, size: usize) callconv(.c) ?[*]u8 {
    const log2: std.mem.Alignment = .fromByteUnits(alignment);
    if (old_size == 0) return heap.rawAlloc(size, log2, 0) orelse @trap();
    const new = heap.rawAlloc(size, log2, 0) orelse @trap();
    @memcpy(new[0..@min(old_size, size)], old.?[0..@min(old_size, size)]);
    heap.rawFree(old.?[0..old_size], log2, 0);
    return new;
}

/// What a function has returned, until the host has taken it.
var results: std.heap.ArenaAllocator = .init(heap);

fn words(text: [*]u8, length: usize, has_max: bool, max: u32) callconv(.c) *const Words {
    const all = text[0..length];
    defer heap.free(all);
    return countWords(all, if (has_max) max else null) catch @trap();
}

fn countWords(text: []const u8, max: ?u32) !*const Words {
    const arena = results.allocator();
    const result = try arena.create(Words);
    const length: u32 = @intCast(try std.unicode.utf8CountCodepoints(text));
    if (length == 0) {
        result.* = .{ .tag = .err, .val = .{ .err = .{ .tag = .empty, .length = 0 } } };
        return result;
    }
    if (length > max orelse length) {
        result.* = .{ .tag = .err, .val = .{ .err = .{ .tag = .too_long, .length = length } } };
        return result;
    }
    var counts: std.array_hash_map.String(u32) = .empty;
    var parts = std.mem.tokenizeAny(u8, text, &std.ascii.whitespace);
    while (parts.next()) |part| {
        const entry = try counts.getOrPutValue(arena, part, 0);
        entry.value_ptr.* += 1;
    }
    const line = try std.fmt.allocPrint(arena, "{d} words", .{counts.count()});
    log.write(line.ptr, line.len);
    const list = try arena.alloc(Word, counts.count());
    for (list, counts.keys(), counts.values()) |*word, part, count| {
        word.* = .{ .text = .of(try arena.dupe(u8, part)), .count = count };
    }
    result.* = .{ .tag = .ok, .val = .{ .ok = .{ .words = list.ptr, .count = list.len } } };
    return result;
}

fn sum(numbers: [*]f64, count: usize) callconv(.c) f64 {
    const all = numbers[0..count];
    defer heap.free(all);
    var total: f64 = 0;
    for (all) |number| total += number;
    return total;
}

fn newCounter(start: u32) callconv(.c) u32 {
    const counter = heap.create(Counter) catch @trap();
    counter.* = .{ .value = start };
    return resource.@"[resource-new]counter"(counter);
}

fn next(counter: *Counter) callconv(.c) u32 {
    defer counter.value += 1;
    return counter.value;
}

fn describe(counter: *const Counter) callconv(.c) *const String {
    const arena = results.allocator();
    const described = arena.create(String) catch @trap();
    described.* = .of(std.fmt.allocPrint(arena, "counter at {d}", .{counter.value}) catch @trap());
    return described;
}

fn dropCounter(counter: *Counter) callconv(.c) void {
    heap.destroy(counter);
}

fn taken(_: *const anyopaque) callconv(.c) void {
    _ = results.reset(.free_all);
}

comptime {
    @export(&reallocate, .{ .name = "cabi_realloc" });
    @export(&words, .{ .name = stats ++ "#words" });
    @export(&taken, .{ .name = "cabi_post_" ++ stats ++ "#words" });
    @export(&sum, .{ .name = stats ++ "#sum" });
    @export(&newCounter, .{ .name = stats ++ "#[constructor]counter" });
    @export(&next, .{ .name = stats ++ "#[method]counter.next" });
    @export(&describe, .{ .name = stats ++ "#[static]counter.describe" });
    @export(&taken, .{ .name = "cabi_post_" ++ stats ++ "#[static]counter.describe" });
    @export(&dropCounter, .{ .name = stats ++ "#[dtor]counter" });
}
