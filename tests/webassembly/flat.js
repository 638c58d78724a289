// What nothing refers to is freed, also where the event loop never has a turn.
const counted = module(`(module (memory 1) (func (export "f") (result i32) (i32.const 42)))`);
for (let i = 0; i < 12_000; i++) new W.Instance(counted).exports.f();
for (let i = 0; i < 3_000; i++) await W.instantiate(counted);
for (let i = 0; i < 20_000; i++) new W.Memory({ initial: 1 }).buffer;
for (let i = 0; i < 20_000; i++) new W.Table({ element: "anyfunc", initial: 10 });
// What something refers to is kept.
const kept = Array.from({ length: 100 }, () => new W.Instance(counted));
for (let i = 0; i < 3_000; i++) new W.Instance(counted);
same(kept.every(({ exports }) => exports.f() === 42), true);
