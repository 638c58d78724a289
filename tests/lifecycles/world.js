// The steps of a case, one function for each. The script needs the helpers of asynchronous calls. A function returns
// the outcome of its step: a value, or the code of an error.
let [modules, stores, instances, pending, lost] = [[], [], [], {}, []];
/** The action of the import in the next call: its name and arguments. */
let action;
const codeOf = (error) => error?.code ?? `${error}`;
const attempt = (f) => {
    try {
        return f() ?? "done";
    } catch (error) {
        return { code: codeOf(error) };
    }
};
/** The import of every guest. It performs the action, and returns its argument plus one. */
const f = (x) => {
    const [name, ...args] = action;
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
/** Waits for the threads of asynchronous calls, which free their stores a little after the end of the calls. */
const atMost = async (instances) => {
    for (let i = 0; i < 100_000 && op_wasm_live_instances() > instances; i++) await turn();
};
globalThis.world = {
    begin: async () => {
        // Frees the objects that a failed case has left.
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
        action = then;
        inner = undefined;
        const args = name === "ask" ? [41] : [];
        const outer = attempt(() => instances[i].call(name, args));
        return inner === undefined ? outer : [outer, inner];
    },
    start: async (i, store, signalled) => {
        const controller = new AbortController();
        const asked = new Promise((resolve) => { action = ["wait", store, resolve]; });
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
    /** The outcome of the call that waits in this store. */
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
    // The real state, to compare with the model: numbers of modules and instances, and the count and fuel of each
    // instance.
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
