// The steps, one function each, that a script runs after the helpers of asynchronous calls.
// A function answers with what it came to: a value, or the code of an error.
let [modules, stores, instances, pending, lost] = [[], [], [], {}, []];
/** What the import of the guest that is called next does. */
let todo;
const codeOf = (error) => error?.code ?? `${error}`;
const attempt = (f) => {
    try {
        return f() ?? "done";
    } catch (error) {
        return { code: codeOf(error) };
    }
};
/** The import of every guest: does what there is to do, and answers with one more. */
const f = (x) => {
    const [name, ...args] = todo;
    if (name === "wait") {
        return new Promise((resolve, reject) => {
            const [store, asked] = args;
            Object.assign(pending[store], { resolve: () => resolve(x + 1), reject });
            asked();
        });
    }
    if (name === "throw") throw new Error("thrown");
    inner = attempt(() => nested[name](...args));
    return x + 1;
};
let inner;
const nested = {
    nothing: () => {},
    call: (i, name) => instances[i].call(name),
    drop: (i) => instances[i].drop(),
    dropStore: (s) => stores[s].drop(),
};
const settled = (promise) => promise.then((value) => value, (error) => ({ code: codeOf(error) }));
const forget = (list, i) => {
    lost.push(new WeakRef(list[i]));
    list[i] = undefined;
};
const { op_wasm_live_modules, op_wasm_live_instances } = Deno.core.ops;
/** The thread of an asynchronous call lets go of its store a little after the call has ended. */
const atMost = async (instances) => {
    for (let i = 0; i < 100_000 && op_wasm_live_instances() > instances; i++) await turn();
};
globalThis.world = {
    begin: async () => {
        // Whatever a case that failed has left.
        await world.end();
        [modules, stores, instances, pending, lost] = [[], [], [], {}, []];
    },
    compile: async (source) => {
        const compiled = await settled(compile(text(source)));
        if (compiled.code !== undefined) return compiled;
        modules.push(compiled);
        return "done";
    },
    dropModule: (i) => attempt(() => modules[i].drop()),
    forgetModule: (i) => forget(modules, i),
    newStore: (options) => attempt(() => { stores.push(new WasmStore(options)); }),
    dropStore: async (i) => {
        const result = attempt(() => stores[i].drop());
        return pending[i] === undefined ? result : [result, await world.ended(i)];
    },
    setFuel: (i, fuel) => attempt(() => stores[i].setFuel(fuel)),
    instantiate: async (module, store, link, options) => {
        const made = await settled((async () => {
            const imports = { env: { f: link === null ? f : instances[link].func("ask") } };
            const into = store === null ? options : { store: stores[store] };
            return instantiate(modules[module], imports, into ?? undefined);
        })());
        if (made.code !== undefined) return made;
        instances.push(made);
        // Only explicit stores are held here.
        if (store === null && link === null) stores.push(undefined);
        return "done";
    },
    call: (i, name, ...then) => {
        todo = then;
        inner = undefined;
        const args = name === "ask" ? [41] : [];
        const outer = attempt(() => instances[i].call(name, args));
        return inner === undefined ? outer : [outer, inner];
    },
    start: async (i, store, signalled) => {
        const controller = new AbortController();
        const asked = new Promise((resolve) => { todo = ["wait", store, resolve]; });
        pending[store] = { controller };
        const options = signalled ? { signal: controller.signal } : {};
        const promise = instances[i].callAsync("ask", [41], options);
        pending[store].promise = promise;
        promise.catch(() => {});
        return Promise.race([asked.then(() => "waits"), settled(promise)]);
    },
    startBusy: (i) => settled(instances[i].callAsync("ask", [41])),
    settle: async (store, how) => {
        const { resolve, reject, controller } = pending[store];
        if (how === "resolve") resolve();
        else if (how === "reject") reject(new Error("rejected"));
        else controller.abort(new Error("aborted"));
        return world.ended(store);
    },
    /** What the call that waits in this store comes to. */
    ended: async (store) => {
        const { promise } = pending[store];
        delete pending[store];
        return settled(promise);
    },
    drop: async (i, store) => {
        const result = attempt(() => instances[i].drop());
        return store === null ? result : [result, await world.ended(store)];
    },
    forget: (i) => forget(instances, i),
    collect: async () => {
        await collect();
        return "done";
    },
    // What there is, beside the model: counts, and the state and fuel of what can be asked.
    look: async (most) => {
        await atMost(most);
        return {
            modules: op_wasm_live_modules(),
            instances: op_wasm_live_instances(),
            counts: instances.map((instance) => instance === undefined ? null
                : attempt(() => instance.global("count").value)),
            fuels: instances.map((instance) => instance === undefined ? null
                : attempt(() => instance.fuel ?? null)),
        };
    },
    end: async () => {
        for (const { promise, resolve } of Object.values(pending)) {
            resolve?.();
            await settled(promise);
        }
        for (const thing of [...instances, ...modules, ...stores]) thing?.drop();
        for (const ref of lost) ref.deref()?.drop();
        [instances, modules, stores] = [[], [], []];
        for (let i = 0; i < 5; i++) await collect();
        await atMost(0);
        return [op_wasm_live_modules(), op_wasm_live_instances()];
    },
};
