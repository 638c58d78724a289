async function importSource(specifier) {
  const [url, ...hash] = `${specifier}`.split("#");
  const source = `${url}${url.includes("?") ? "&" : "?"}module`;
  return (await import([source, ...hash].join("#"))).default;
}
