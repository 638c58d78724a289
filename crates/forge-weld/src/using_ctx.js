function usingCtx() {
  const disposeKey = Symbol.dispose ?? Symbol.for("Symbol.dispose");
  const asyncDisposeKey = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
  const resources = [];
  let failed = false;
  let failure;

  function fail(error) {
    failure = failed ? suppress(error, failure) : error;
    failed = true;
  }

  function suppress(error, suppressed) {
    const message = "An error was suppressed during disposal";
    if (typeof SuppressedError === "function") {
      return new SuppressedError(error, suppressed, message);
    }
    const both = new Error(message);
    both.name = "SuppressedError";
    return Object.assign(both, { error, suppressed });
  }

  function methodOf(value, key) {
    const method = value[key] ?? undefined;
    if (method !== undefined && typeof method !== "function") {
      throw new TypeError(`${String(key)} is not a function`);
    }
    return method;
  }

  function add(value, awaited) {
    if (value === null || value === undefined) {
      if (awaited) resources.push({ value, dispose: undefined, awaited });
      return value;
    }
    if (typeof value !== "object" && typeof value !== "function") {
      throw new TypeError("only an object, null or undefined can be disposed of");
    }
    let dispose = awaited ? methodOf(value, asyncDisposeKey) : undefined;
    if (dispose === undefined) {
      const disposeNow = methodOf(value, disposeKey);
      dispose = awaited && disposeNow ? async () => void disposeNow.call(value) : disposeNow;
    }
    if (dispose === undefined) {
      throw new TypeError(`the object has no [${awaited ? "Symbol.asyncDispose" : "Symbol.dispose"}]`);
    }
    resources.push({ value, dispose, awaited });
    return value;
  }

  function disposeAll() {
    while (resources.length > 0) {
      const { value, dispose } = resources.pop();
      try {
        dispose.call(value);
      } catch (error) {
        fail(error);
      }
    }
    if (failed) throw failure;
  }

  async function disposeAllAwaiting() {
    let owed = false;
    let awaited = false;
    while (resources.length > 0) {
      const resource = resources.pop();
      if (resource.dispose === undefined) {
        owed = true;
        continue;
      }
      if (!resource.awaited && owed && !awaited) {
        await undefined;
        owed = false;
      }
      try {
        const result = resource.dispose.call(resource.value);
        if (resource.awaited) {
          awaited = true;
          await result;
        }
      } catch (error) {
        fail(error);
      }
    }
    if (owed && !awaited) await undefined;
    if (failed) throw failure;
  }

  return {
    set e(error) {
      fail(error);
    },
    u(value) {
      return add(value, false);
    },
    a(value) {
      return add(value, true);
    },
    d() {
      return resources.some((resource) => resource.awaited) ? disposeAllAwaiting() : disposeAll();
    },
  };
}
