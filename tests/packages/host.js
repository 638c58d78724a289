// What programs have from the host. `node.mjs` gives them the same on Node.

const { op_package_read, op_package_resolve, op_package_wat } = Deno.core.ops;

/** The bytes of a file. */
globalThis.readFile = (path) => op_package_read(path);

/** The path of the file that `require` finds for a name like `package/file`. */
globalThis.packageFile = (name) => op_package_resolve(name);

/** The binary of a module in the text format, a `.wat` file of this folder. */
globalThis.wat = (name) => op_package_wat(name);

/** The modules of Node that CommonJS packages ask for, as far as these need them. */
const nodeModules = {
  fs: { readFileSync: readFile },
  path: { join: (...parts) => parts.join("/"), sep: "/" },
};

/** The module of Node with this name, if there is one. */
globalThis.nodeModule = (name) => nodeModules[name.replace(/^node:/, "")];
