// A small `require` for packages of CommonJS.

const folderOf = (path) => path.slice(0, path.lastIndexOf("/")) || "/";

/** A path from a folder, without `.` and `..`. */
function join(folder, path) {
  const parts = folder.split("/");
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

const modules = new Map();

function load(path) {
  const known = modules.get(path);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  modules.set(path, module);
  const source = new TextDecoder().decode(readFile(path));
  if (path.endsWith(".json")) return module.exports = JSON.parse(source);
  const folder = folderOf(path);
  const body = new Function("exports", "require", "module", "__filename", "__dirname", source);
  body.call(module.exports, module.exports, (name) => requireFrom(folder, name), module, path, folder);
  return module.exports;
}

function requireFrom(folder, name) {
  if (name.startsWith(".")) return load(join(folder, name));
  return nodeModule(name) ?? load(packageFile(name));
}

/** Loads a package. */
export function require(name) {
  return requireFrom("/", name);
}
