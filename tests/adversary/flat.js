// What nothing refers to is freed, also where the event loop never has a turn.
const counted = module(`(module (memory 1) (func (export "f") (result i32) (i32.const 42)))`);
for (let i = 0; i < 12_000; i++) new W.Instance(counted).exports.f();
for (let i = 0; i < 3_000; i++) await W.instantiate(counted);
for (let i = 0; i < 20_000; i++) new W.Memory({ initial: 1 }).buffer;
for (let i = 0; i < 20_000; i++) new W.Table({ element: "anyfunc", initial: 10 });
for (let i = 0; i < 11_000; i++) new W.Module(binary("(module)"));
// What something refers to is kept.
const kept = Array.from({ length: 100 }, () => new W.Instance(counted));
for (let i = 0; i < 3_000; i++) new W.Instance(counted);
same(kept.every(({ exports }) => exports.f() === 42), true);

// An import may keep an exception of its own instance: both are freed together.
const throwing = module(`(module (import "m" "f" (func $f)) (tag $t) (memory 1) (func (export "g") (throw $t)))`);
for (let i = 0; i < 12_000; i++) {
  let last;
  const { exports } = await W.instantiate(throwing, { m: { f: () => last } });
  try {
    exports.g();
  } catch (error) {
    last = error;
  }
}

// Garbage does not use up the cap on memory either.
const tight = createWebAssembly({ maxMemoryBytes: 64 << 20 });
const large = module(`(module (memory 100) (func (export "f")))`, tight);
for (let i = 0; i < 100; i++) new tight.Instance(large).exports.f();
for (let i = 0; i < 100; i++) (await tight.instantiate(large)).exports.f();

// Objects that a guest passes to JavaScript are freed while the guest runs.
const small = createWebAssembly({ maxMemoryBytes: 4 << 20 });
const passing = exportsOf(`(module (type $s (struct (field i32)))
  (import "m" "f" (func $f (param (ref $s))))
  (func (export "loop") (param i32)
    (loop (call $f (struct.new $s (local.get 0)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`, { m: { f() {} } }, small);
passing.loop(150_000);
const making = exportsOf(`(module (type $s (struct (field i32)))
  (func (export "make") (result (ref $s)) (struct.new $s (i32.const 1)))
  (func (export "hide") (result externref) (extern.convert_any (struct.new $s (i32.const 1)))))`, undefined, small);
for (let i = 0; i < 150_000; i++) making.make();
for (let i = 0; i < 150_000; i++) making.hide();
